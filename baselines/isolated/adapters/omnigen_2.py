# OmniGen2 through the official code (github.com/VectorSpaceLab/OmniGen2, package omnigen2): generates and
# edits images with a diffusion transformer behind Qwen2.5-VL, which answers questions about images.
import adapter_tools as tools
import torch

NEGATIVE = (
    "(((deformed))), blurry, over saturation, bad anatomy, disfigured, poorly drawn face, mutation, mutated, "
    "(extra_limb), (ugly), (poorly drawn hands), fused fingers, messy drawing, broken legs censor, censored, "
    "censor_bar"
)  # the repository's default


class OmniGen2(tools.OneByOne):
    def __init__(self, options):
        tools.repository(options)
        from diffusers.models.autoencoders import AutoencoderKL
        from omnigen2.models.transformers.transformer_omnigen2 import OmniGen2Transformer2DModel
        from omnigen2.pipelines.omnigen2.pipeline_omnigen2 import OmniGen2Pipeline
        from omnigen2.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
        from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor

        self.options = options
        self.device, dtype = tools.device_and_dtype(options)
        source = options["argument"]

        def part(kind, name, **more):
            return kind.from_pretrained(source, subfolder=name, **more)

        self.pipeline = OmniGen2Pipeline(
            transformer=part(OmniGen2Transformer2DModel, "transformer", torch_dtype=dtype),
            vae=part(AutoencoderKL, "vae", torch_dtype=dtype),
            scheduler=part(FlowMatchEulerDiscreteScheduler, "scheduler"),
            mllm=part(Qwen2_5_VLForConditionalGeneration, "mllm", torch_dtype=dtype),
            processor=part(Qwen2_5_VLProcessor, "processor"),
        ).to(self.device)
        self.pipeline.set_progress_bar_config(disable=True)
        self.info = {
            "name": options.get("title", "omnigen2"),
            "parameters": tools.parameters(self.pipeline.transformer, self.pipeline.vae, self.pipeline.mllm),
        }

    def _text(self, request):
        """The answer of the repository's chat mode, which has one turn and its images before the text."""
        from omnigen2.pipelines.omnigen2.pipeline_omnigen2_chat import OmniGen2ChatPipeline as Chat

        output = request["output"]
        text, images = tools.text_and_images(request)
        prompt = Chat._apply_chat_template(None, text, images or None) + request["prefill"]
        processor = self.pipeline.processor
        inputs = processor(text=[prompt], images=images or None, return_tensors="pt").to(self.device)
        with tools.seeded(request["seed"]):
            ids = self.pipeline.mllm.generate(
                **inputs,
                tokenizer=processor.tokenizer,
                stop_strings=["<|im_end|>", "<|img|>", "<|endoftext|>"],
                **tools.sampling(output),
            )[0, inputs["input_ids"].shape[1] :]
        answer = processor.decode(ids, skip_special_tokens=False)
        answer, _ = tools.cut(answer, ["<|im_end|>", "<|img|>", "<|endoftext|>"])
        return tools.text_answer(answer, len(ids), output)

    def _images(self, request):
        text, images = tools.text_and_images(request)
        output, number = request["output"], tools.number
        width, height = tools.size(output, self.options, 1024, 16, "OmniGen2")
        settings = {
            "num_inference_steps": tools.steps(output, self.options, 50),
            "text_guidance_scale": tools.guidance(output, self.options, 5.0 if images else 4.0),
            "image_guidance_scale": number(self.options, "image_guidance_scale", 2.0),
            "cfg_range": (
                number(self.options, "cfg_range_start", 0.0),
                number(self.options, "cfg_range_end", 1.0),
            ),
        }
        # An edit of one image has its size, as the repository's `align_res` says.
        more = {} if len(images) == 1 and not output.get("width") else {"align_res": False}

        def generated(seed):
            return self.pipeline(
                prompt=text,
                negative_prompt=output["negative"] or self.options.get("negative", NEGATIVE),
                input_images=images or None,
                width=width,
                height=height,
                max_pixels=number(self.options, "max_pixels", 1024 * 1024),
                max_input_image_side_length=number(self.options, "max_input_side", 2048),
                max_sequence_length=1024,
                generator=torch.Generator(self.device).manual_seed(seed % 2**63),
                output_type="pil",
                **settings,
                **more,
            ).images[0]

        return {"images": tools.several(generated, request), "details": settings}


def load(options):
    return OmniGen2(options)
