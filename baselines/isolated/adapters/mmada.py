# MMaDA through the official code (github.com/Gen-Verse/MMaDA): one masked diffusion model that answers
# questions about images block by block, and generates images as 1,024 discrete tokens in parallel.
from types import SimpleNamespace

import adapter_tools as tools
import torch

SPECIALS = (
    "<|soi|>", "<|eoi|>", "<|sov|>", "<|eov|>", "<|t2i|>", "<|mmu|>", "<|t2v|>", "<|v2v|>", "<|lvg|>",
)  # fmt: skip
TOKENS_OF_A_BLOCK = 8


class MMaDA(tools.OneByOne):
    def __init__(self, options):
        tools.repository(options)
        from models import MAGVITv2, MMadaModelLM
        from training.prompting_utils import UniversalPrompting
        from transformers import AutoTokenizer

        self.options = options
        self.device, dtype = tools.device_and_dtype(options)
        tokenizer = AutoTokenizer.from_pretrained(options["argument"], padding_side="left")
        self.longest = tools.number(options, "max_text", 512)
        self.prompting = UniversalPrompting(
            tokenizer, max_text_len=self.longest, special_tokens=SPECIALS, ignore_id=-100,
            cond_dropout_prob=0.1, use_reserved_token=True,
        )  # fmt: skip
        self.tokenizer = self.prompting.text_tokenizer
        self.vq = MAGVITv2.from_pretrained(options.get("vq", "showlab/magvitv2")).to(self.device).eval()
        model = MMadaModelLM.from_pretrained(options["argument"], trust_remote_code=True, torch_dtype=dtype)
        self.model = model.to(self.device).eval()
        self.mask = self.model.config.mask_token_id
        self.side = tools.number(options, "image_size", 512)
        self.info = {
            "name": options.get("title", "mmada"),
            "parameters": tools.parameters(self.model, self.vq),
            "capabilities": ["text", "image"],
        }

    def _text(self, request):
        """As inference_mmu.py does it: half as many steps as tokens, in four blocks."""
        output, images, messages = request["output"], [], []
        tools.require(output["num_beams"] == 1, "MMaDA generates by diffusion, without beams.")
        for role, parts in tools.turns(request):
            text, found = tools.said(parts)
            images += found
            messages.append({"role": role, "content": text})
        tools.require(len(images) < 2, "MMaDA's prompt has room for one image.")
        ids = self.tokenizer.apply_chat_template(
            messages, tokenize=True, add_generation_prompt=True, return_tensors="pt"
        ).to(self.device)
        if request["prefill"]:
            begun = self.tokenizer(request["prefill"], add_special_tokens=False, return_tensors="pt")
            ids = torch.cat([ids, begun.input_ids.to(self.device)], 1)
        with tools.seeded(request["seed"]):
            if images:
                ids = torch.cat([self._sign("mmu"), self._sign("soi"), self._codes(images[0]),
                                 self._sign("eoi"), ids], 1)  # fmt: skip
            length = -(-output["max_new_tokens"] // TOKENS_OF_A_BLOCK) * TOKENS_OF_A_BLOCK
            made = self.model.mmu_generate(
                ids, max_new_tokens=length, steps=length // 2, block_length=length // 4,
                temperature=output["temperature"], mask_id=self.mask,
            )[0, ids.shape[1] :][: output["max_new_tokens"]]  # fmt: skip
        text = self.tokenizer.decode(made, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        # The length is set beforehand: an answer that ends before its last token was not cut.
        return dict(tools.text_answer(text, None, output), tokens=len(made))

    def _sign(self, name):
        return self.prompting.sptids_dict["<|%s|>" % name].view(1, 1).to(self.device)

    def _codes(self, image):
        pixels = tools.as_pixels(image, self.side)[None].to(self.device)
        return self.vq.get_code(pixels) + len(self.tokenizer)

    def _images(self, request):
        return tools.fixed_size_images(
            request, self.options, "MMaDA", self.side, self._image, guidance_scale=3.5, num_steps=15
        )

    def _image(self, text, steps, scale):
        """One image; as inference_t2i.py does it."""
        from models import get_mask_schedule

        count = (self.side // 16) ** 2
        masked = torch.full((1, count), self.mask, dtype=torch.long, device=self.device)
        ids, mask = self.prompting(([text], masked), "t2i_gen")
        without, mask_without = self.prompting(([""], masked), "t2i_gen") if scale > 0 else (None, None)
        codes = self.model.t2i_generate(
            input_ids=ids.to(self.device),
            uncond_input_ids=without,
            attention_mask=mask.to(self.device),
            uncond_attention_mask=mask_without,
            guidance_scale=scale,
            temperature=tools.number(self.options, "temperature", 1.0),
            timesteps=steps,
            noise_schedule=get_mask_schedule(self.options.get("mask_schedule", "cosine")),
            noise_type="mask",
            seq_len=count,
            uni_prompting=self.prompting,
            config=SimpleNamespace(),
            mask_token_id=self.mask,
            resolution=self.longest,  # where the prompt ends: the code's default is 512 for both
        )
        return tools.as_image(self.vq.decode_code(codes.clamp(0, 8191))[0])


def load(options):
    return MMaDA(options)
