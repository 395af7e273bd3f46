# The first BLIP3-o through the official code (github.com/JiuhaiChen/BLIP3o, branch main): Qwen2.5-VL answers
# questions about images; a diffusion transformer behind it generates CLIP's features, which SDXL's decoder
# turns into pixels. The decoder's pipeline lies beside the weights, in diffusion-decoder.
import functools
import io
import os

import adapter_tools as tools
import torch
from PIL import Image

PROMPT = "Please generate image based on the following caption: "


class Blip3o(tools.OneByOne):
    def __init__(self, options):
        tools.repository(options)
        from blip3o.conversation import conv_templates
        from blip3o.model import blip3oQwenForInferenceLM
        from diffusers import DiffusionPipeline
        from transformers import AutoProcessor, AutoTokenizer

        self.options, self.conversation = options, conv_templates["qwen"]
        self.device, dtype = tools.device_and_dtype(options, "float16")
        source, number = options["argument"], tools.number
        self.processor = AutoProcessor.from_pretrained(
            options.get("processor", "Qwen/Qwen2.5-VL-7B-Instruct"),
            min_pixels=number(options, "min_pixels", 256 * 28 * 28),
            max_pixels=number(options, "max_pixels", 1605632),
        )
        # As blip3o/model/builder.py loads it, which needs a first GPU and what training needs.
        tokenizer = AutoTokenizer.from_pretrained(source)
        model = blip3oQwenForInferenceLM.from_pretrained(source, low_cpu_mem_usage=True, torch_dtype=dtype)
        model.resize_token_embeddings(len(tokenizer))
        self.model = model.to(self.device).eval()
        self.model.sample_images = functools.partial(
            self.model.sample_images,
            num_inference_steps=number(options, "clip_steps", 30),
            guidance_scale=number(options, "clip_guidance", 3.0),
        )
        self.pipeline = DiffusionPipeline.from_pretrained(
            os.path.join(source, "diffusion-decoder"),
            custom_pipeline="pipeline_llava_gen",
            torch_dtype=torch.bfloat16 if dtype == torch.float16 else dtype,
            use_safetensors=True,
            variant="bf16",
            multimodal_encoder=self.model,
            tokenizer=tokenizer,
            safety_checker=None,
        )
        self.pipeline.vae.to(self.device)
        self.pipeline.unet.to(self.device)
        self.info = {
            "name": options.get("title", "blip3o"),
            "parameters": tools.parameters(self.model, self.pipeline.unet, self.pipeline.vae),
            "capabilities": ["text", "image"],
        }

    def _text(self, request):
        """As eval/lmms-eval asks: the images of a turn before its text, sizes between two limits."""
        output, turns, images = request["output"], [], []
        for role, parts in tools.turns(request):
            text, found = tools.said(parts)
            said = {"type": "text", "text": text.replace("<image>", "")}
            turns.append({"role": role, "content": [{"type": "image"}] * len(found) + [said]})
            images += [self._again(image) for image in found]
        prompt = self.processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        inputs = self.processor(
            text=[prompt + request["prefill"]], images=images or None, return_tensors="pt"
        ).to(self.device)
        tokenizer = self.pipeline.tokenizer
        with tools.seeded(request["seed"]):
            ids = self.model.generate(
                **inputs,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
                use_cache=True,
                **tools.sampling(output),
            )[0, inputs["input_ids"].shape[1] :]
        answer = self.processor.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return tools.text_answer(answer, len(ids), output)

    def _again(self, image):
        """With option `jpeg` the image written as JPEG and read, as eval/lmms-eval passes it on."""
        if not tools.switch(self.options, "jpeg"):
            return image
        stream = io.BytesIO()
        image.save(stream, "JPEG")
        return Image.open(stream).convert("RGB")

    def _images(self, request):
        text, output = tools.text_alone(request, "BLIP3-o"), request["output"]
        width, height = tools.size(output, self.options, 1024, 8, "BLIP3-o")
        settings = {
            "guidance_scale": tools.guidance(output, self.options, 3.0),
            "num_inference_steps": tools.steps(output, self.options, 50),
        }
        conversation = self.conversation.copy()
        conversation.append_message(conversation.roles[0], PROMPT + text)
        conversation.append_message(conversation.roles[1], None)
        prompt = conversation.get_prompt()

        def generated(seed):
            # The features without a caption are generated, too, and kept: another image must not see them.
            self.pipeline.negative_prompt.clear()
            return self.pipeline([prompt], height=height, width=width, **settings).image

        return {"images": tools.several(generated, request), "details": settings}


def load(options):
    return Blip3o(options)
