# Emu3 through the official code (github.com/baaivision/Emu3, package emu3): next-token prediction over text
# and image tokens. Emu3-Chat answers questions about images, Emu3-Gen generates them; a checkpoint is one.
import adapter_tools as tools
import torch
from PIL import Image

POSITIVE = " masterpiece, film grained, best quality."
NEGATIVE = (
    "lowres, bad anatomy, bad hands, text, error, missing fingers, extra digit, fewer digits, cropped, worst "
    "quality, low quality, normal quality, jpeg artifacts, signature, watermark, username, blurry."
)  # both from image_generation.py of the repository


class Emu3(tools.OneByOne):
    def __init__(self, options):
        tools.repository(options)
        from emu3.mllm import Emu3ForCausalLM, Emu3Tokenizer
        from emu3.mllm.processing_emu3 import Emu3Processor
        from emu3.tokenizer import Emu3VisionVQImageProcessor, Emu3VisionVQModel

        self.options = options
        self.device, dtype = tools.device_and_dtype(options)
        attention = options.get("attention", "sdpa")
        model = Emu3ForCausalLM.from_pretrained(
            options["argument"], torch_dtype=dtype, attn_implementation=attention
        )
        self.model = model.to(self.device).eval()
        self.tokenizer = Emu3Tokenizer.from_pretrained(options["argument"], padding_side="left")
        source = options.get("vq", "BAAI/Emu3-VisionTokenizer")
        vq = Emu3VisionVQModel.from_pretrained(source).to(self.device).eval()
        self.processor = Emu3Processor(Emu3VisionVQImageProcessor.from_pretrained(source), vq, self.tokenizer)
        self.info = {
            "name": options.get("title", "emu3"),
            "parameters": tools.parameters(self.model, vq),
            "capabilities": ["text", "image"],
        }

    def _text(self, request):
        text, images = tools.text_and_images(request)
        tools.require(len(images) < 2, "Emu3-Chat's prompt has room for one image.")
        output = request["output"]
        with tools.seeded(request["seed"]):
            if images:
                ids = self.processor(
                    text=[text], image=images, mode="U", padding_image=True, return_tensors="pt"
                ).input_ids
            else:
                prompt = self.processor.chat_template.format(image_prompt="", text_prompt=text)
                ids = self.tokenizer([self.tokenizer.bos_token + prompt], return_tensors="pt").input_ids
            if request["prefill"]:
                begun = self.tokenizer([" " + request["prefill"]], return_tensors="pt").input_ids
                ids = torch.cat([ids, begun], 1)
            ids = ids.to(self.device)
            made = self.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                pad_token_id=self.tokenizer.pad_token_id,
                bos_token_id=self.tokenizer.bos_token_id,
                eos_token_id=self.tokenizer.eos_token_id,
                **tools.sampling(output),
            )[0, ids.shape[1] :]
        text = self.tokenizer.decode(made, skip_special_tokens=True)
        return tools.text_answer(text, len(made), output)

    def _images(self, request):
        text, output = tools.text_alone(request, "Emu3"), request["output"]
        area = tools.number(self.options, "image_area", self.model.config.image_area)
        width, height = output.get("width"), output.get("height")
        ratio = "%d:%d" % (width, height) if width and height else "1:1"
        area = width * height if width and height else area
        scale = tools.guidance(output, self.options, 3.0)
        positive = self.options.get("positive", POSITIVE)
        negative = output["negative"] or self.options.get("negative", NEGATIVE)
        made = tools.several(lambda seed: self._image(text + positive, negative, ratio, area, scale), request)
        details = {"guidance_scale": scale, "positive": positive, "negative": negative}
        return {"images": made, "details": details}

    def _image(self, prompt, negative, ratio, area, scale):
        """One image; as image_generation.py of the repository does it."""
        from transformers.generation import LogitsProcessorList, PrefixConstrainedLogitsProcessor
        from transformers.generation import UnbatchedClassifierFreeGuidanceLogitsProcessor as Guidance
        from transformers.generation.configuration_utils import GenerationConfig

        how = {"mode": "G", "image_area": area, "return_tensors": "pt", "padding": "longest"}
        with_text = self.processor(text=[prompt], ratio=[ratio], **how)
        without = self.processor(text=[negative], ratio=[ratio], **how)
        height, width = with_text.image_size[:, 0], with_text.image_size[:, 1]
        limits = self.processor.build_prefix_constrained_fn(height, width)
        processors = LogitsProcessorList([
            Guidance(scale, self.model, unconditional_ids=without.input_ids.to(self.device)),
            PrefixConstrainedLogitsProcessor(limits, num_beams=1),
        ])  # fmt: skip
        config = GenerationConfig(
            use_cache=True,
            eos_token_id=self.model.config.eos_token_id,
            pad_token_id=self.model.config.pad_token_id,
            max_new_tokens=tools.number(self.options, "max_tokens", 40960),
            do_sample=True,
            top_k=tools.number(self.options, "top_k", 2048),
        )
        ids = self.model.generate(
            with_text.input_ids.to(self.device),
            config,
            logits_processor=processors,
            attention_mask=with_text.attention_mask.to(self.device),
        )[0]
        found = [part for part in self.processor.decode(ids) if isinstance(part, Image.Image)]
        tools.require(found, "Emu3 ended without an image.")
        return found[0]


def load(options):
    return Emu3(options)
