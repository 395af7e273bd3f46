# Show-o (the first) through the official code (github.com/showlab/Show-o, its root): answers questions about
# an image by autoregression, generates images as discrete tokens by masked diffusion.
from types import SimpleNamespace

import adapter_tools as tools
import torch

SPECIALS = (
    "<|soi|>", "<|eoi|>", "<|sov|>", "<|eov|>", "<|t2i|>", "<|mmu|>", "<|t2v|>", "<|v2v|>", "<|lvg|>",
)  # fmt: skip
SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)  # of the checkpoints with CLIP


class ShowO(tools.OneByOne):
    def __init__(self, options):
        tools.repository(options)
        from models import CLIPVisionTower, MAGVITv2, Showo
        from training.prompting_utils import UniversalPrompting
        from transformers import AutoTokenizer

        self.options = options
        self.device, self.dtype = tools.device_and_dtype(options)
        llm = options.get("llm", "microsoft/phi-1_5")
        self.longest = tools.number(options, "max_text", 128)
        self.prompting = UniversalPrompting(
            AutoTokenizer.from_pretrained(llm, padding_side="left"), max_text_len=self.longest,
            special_tokens=SPECIALS, ignore_id=-100, cond_dropout_prob=0.1,
        )  # fmt: skip
        self.tokenizer = self.prompting.text_tokenizer
        self.vq = MAGVITv2.from_pretrained(options.get("vq", "showlab/magvitv2")).to(self.device).eval()
        # Its constructor resizes embeddings, which newer transformers cannot do before there are weights.
        model = Showo.from_pretrained(options["argument"], llm_model_path=llm, low_cpu_mem_usage=False)
        self.model = model.to(self.device, self.dtype).eval()
        self.side = tools.number(options, "image_size", round(self.model.config.num_vq_tokens**0.5) * 16)
        self.clip = None
        if self.model.config.w_clip_vit:
            tower = CLIPVisionTower(options.get("clip", "openai/clip-vit-large-patch14-336"))
            self.clip = tower.to(self.device).eval()
        towers = [] if self.clip is None else [self.clip]
        self.info = {
            "name": options.get("title", "show-o"),
            "parameters": tools.parameters(self.model, self.vq, *towers),
            "capabilities": ["text", "image"],
        }

    def _text(self, request):
        """As inference_mmu.py does it; without an image, text alone behind its beginning, as in training."""
        output = request["output"]
        tools.require(output["num_beams"] == 1, "Show-o's code has no beam search.")
        text, images = self._question(request)
        tools.require(len(images) < 2, "Show-o's prompt has room for one image.")
        with tools.seeded(request["seed"]):
            if images and self.clip is not None:
                inputs = self._seen_by_clip(text, images[0])
            else:
                inputs = self._seen_as_codes(text, images)
            sampled = output["temperature"] > 0
            ids = self.model.mmu_generate(
                **inputs,
                max_new_tokens=output["max_new_tokens"],
                temperature=output["temperature"] if sampled else 1.0,
                top_k=None if sampled else 1,  # 1: the likeliest, as inference_mmu.py does
                eot_token=self.tokenizer.eos_token_id,
            )
        answer = self.tokenizer.decode([int(one) for one in ids], skip_special_tokens=True)
        return tools.text_answer(answer, len(ids), output)

    def _question(self, request):
        """The dialogue in the repository's form, and its images."""
        ask, answer = ("USER: ", " ASSISTANT:") if self.clip is not None else ("USER: \n", " ASSISTANT:")
        text, images = "", []
        for role, parts in tools.turns(request):
            said, found = tools.said(parts)
            images += found
            text += {"user": ask + said + answer, "assistant": " " + said + " "}.get(role, said)
        return text + (" " + request["prefill"] if request["prefill"] else ""), images

    def _sign(self, name):
        return self.prompting.sptids_dict["<|%s|>" % name].view(1, 1).to(self.device)

    def _ids(self, text):
        return torch.tensor([self.tokenizer(text)["input_ids"]], device=self.device)

    def _seen_as_codes(self, text, images):
        """The image as discrete tokens before the question."""
        from training.prompting_utils import create_attention_mask_for_mmu

        if not images:
            ids = torch.cat([self._sign("sot"), self._ids(text)], 1)
            length = ids.shape[1]
            mask = torch.full((length, length), torch.finfo(self.dtype).min, device=self.device).triu(1)
            if self.clip is not None:
                return self._embedded(ids, mask[None, None])
            return {"idx": ids, "attention_mask": mask[None, None].to(self.dtype)}
        codes = self.vq.get_code(self._pixels(images[0])) + len(self.tokenizer)
        ids = torch.cat([self._sign("mmu"), self._sign("soi"), codes, self._sign("eoi"), self._sign("sot"),
                         self._ids(text)], 1)  # fmt: skip
        mask = create_attention_mask_for_mmu(ids, eoi_id=int(self._sign("eoi")))
        return {"idx": ids, "attention_mask": mask.to(self.dtype)}

    def _pixels(self, image):
        from training.utils import image_transform

        return image_transform(image, resolution=self.side)[None].to(self.device)

    def _seen_by_clip(self, text, image):
        """The image as CLIP's features behind the system prompt, for checkpoints that were trained so."""
        from training.prompting_utils import create_attention_mask_for_mmu_vit

        system = self._ids(SYSTEM)
        before = torch.cat([self._sign("mmu"), system, self._sign("soi")], 1)
        after = torch.cat([self._sign("eoi"), self._ids(text)], 1)
        pixels = self.clip.image_processor.preprocess(image, return_tensors="pt")["pixel_values"]
        seen = self.model.mm_projector(self.clip(pixels.to(self.device)).to(self.dtype))
        embed = self.model.showo.model.embed_tokens
        embeds = torch.cat([embed(before), seen, embed(after)], 1)
        mask = create_attention_mask_for_mmu_vit(embeds, system_prompt_len=system.shape[1])
        return {"input_embeddings": embeds, "attention_mask": mask.to(self.dtype)}

    def _embedded(self, ids, mask):
        embeds = self.model.showo.model.embed_tokens(ids)
        return {"input_embeddings": embeds, "attention_mask": mask.to(self.dtype)}

    def _images(self, request):
        return tools.fixed_size_images(
            request, self.options, "Show-o", self.side, self._image, guidance_scale=5.0, num_steps=50
        )

    def _image(self, text, steps, scale):
        """One image; as inference_t2i.py does it."""
        from models import get_mask_chedule
        from training.prompting_utils import create_attention_mask_predict_next

        count = (self.side // 16) ** 2
        masked = torch.full((1, count), self.model.config.mask_token_id, dtype=torch.long, device=self.device)
        ids, _ = self.prompting(([text], masked), "t2i_gen")
        without, _ = self.prompting(([""], masked), "t2i_gen") if scale > 0 else (None, None)
        both = ids if without is None else torch.cat([ids, without])
        signs = {name + "_id": int(self._sign(name)) for name in ("pad", "soi", "eoi")}
        mask = create_attention_mask_predict_next(both, rm_pad_in_image=True, **signs)
        showo = SimpleNamespace(
            num_vq_tokens=count, num_new_special_tokens=len(SPECIALS) + 1,
            llm_vocab_size=len(self.tokenizer) - len(SPECIALS) - 1,
        )  # fmt: skip
        config = SimpleNamespace(
            model=SimpleNamespace(showo=showo),
            dataset=SimpleNamespace(preprocessing=SimpleNamespace(max_seq_length=self.longest)),
        )
        codes = self.model.t2i_generate(
            input_ids=ids,
            uncond_input_ids=without,
            attention_mask=mask.to(self.dtype),
            guidance_scale=scale,
            temperature=tools.number(self.options, "temperature", 1.0),
            timesteps=steps,
            noise_schedule=get_mask_chedule(self.options.get("mask_schedule", "cosine")),
            config=config,
        )
        return tools.as_image(self.vq.decode_code(codes.clamp(0, self.model.config.codebook_size - 1))[0])


def load(options):
    return ShowO(options)
