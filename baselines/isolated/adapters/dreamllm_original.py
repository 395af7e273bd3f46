# DreamLLM through its authors' code (github.com/RunpeiDong/DreamLLM, package omni): answers questions with
# the prompts of omni/eval/vqa, generates images with stable_diffusion_pipeline. `measure` gives what
# `evalsuite parity dreamllm` compares.
import os

import adapter_tools as tools
import torch

GENERATED = 64  # tokens of an answer whose request gives no limit


class Original(tools.OneByOne):
    def __init__(self, options):
        tools.repository(options)
        from omni.models.dreamllm.configuration_dreamllm import DreamLLMConfig
        from omni.models.dreamllm.modeling_dreamllm import DreamLLMForCausalMLM
        from transformers import LlamaTokenizer

        folder = os.path.abspath(options["argument"])
        os.chdir(folder)  # the configuration may name its parts relative to itself
        self.options = options
        self.device, self.dtype = tools.device_and_dtype(options)
        self.tokenizer = LlamaTokenizer.from_pretrained(folder, padding_side="left")
        self.model = DreamLLMForCausalMLM.from_pretrained(
            folder,
            tokenizer=self.tokenizer,
            config=DreamLLMConfig.from_pretrained(folder),
            local_files_only=False,
            cache_dir=None,
            reset_plugin_model_name_or_path=True,
        )
        self.model = self.model.to(self.device, self.dtype).eval()
        self.vision = self.model.model.clip_vision_embedding
        self.info = {
            "name": options.get("title", "dreamllm-original"),
            "parameters": tools.parameters(self.model),
        }

    def measure(self, batch):
        """One answer for each request: tensors as raw float32 bytes under `images`, their shapes and token
        ids in `details`."""
        with torch.inference_mode():
            return [getattr(self, "_measure_" + request["what"])(request) for request in batch]

    def _prompt(self, request):
        """The prompt of omni/eval/vqa/vqa_inference.py, and the images."""
        from omni.constants import (
            DEFAULT_IMAGE_END_TOKEN,
            DEFAULT_IMAGE_PATCH_TOKEN,
            DEFAULT_IMAGE_START_TOKEN,
        )
        from omni.utils.conversation import SeparatorStyle, default_conversation

        block = DEFAULT_IMAGE_START_TOKEN + DEFAULT_IMAGE_PATCH_TOKEN * self.vision.embed_len
        block += DEFAULT_IMAGE_END_TOKEN
        images, conversation = [], default_conversation.copy()
        for role, parts in tools.turns(request):
            if role == "system":
                continue
            images += [part for part in parts if not isinstance(part, str)]
            text = "".join(part if isinstance(part, str) else block for part in parts)
            conversation.append_message(conversation.roles[role != "user"], text)
        conversation.append_message(conversation.roles[1], request["prefill"] or None)
        prompt = conversation.get_prompt()
        two = conversation.sep_style == SeparatorStyle.TWO
        end = conversation.sep2 if two else conversation.sep
        return prompt[: -len(end)] if prompt.endswith(end) else prompt, images

    def _pixels(self, images):
        if not images:
            return None
        found = self.vision.processor.preprocess(images, return_tensors="pt")["pixel_values"]
        return found.to(self.device, self.dtype)

    def _generated(self, request):
        prompt, images = self._prompt(request)
        output = request["output"]
        ids = torch.tensor(self.tokenizer([prompt]).input_ids, device=self.device)
        with tools.seeded(request["seed"]):
            made = self.model.generate(ids, images=self._pixels(images), **tools.sampling(output))
        return ids[0].tolist(), made[0, ids.shape[1] :].tolist()

    def _text(self, request):
        output = request["output"]
        _, made = self._generated(request)
        text = self.tokenizer.decode(made, skip_special_tokens=True)
        return tools.text_answer(text, len(made), output)

    def _images(self, request):
        text, output = tools.text_alone(request, "DreamLLM's own code"), request["output"]
        scale = tools.guidance(output, self.options, 7.5)
        steps = tools.steps(output, self.options, 50)
        made = tools.several(lambda seed: self._drawn(text, steps, scale, seed, output, "pil")[0], request)
        return {"images": made, "details": {"guidance_scale": scale, "steps": steps}}

    def _drawn(self, text, steps, scale, seed, output, kind):
        with torch.inference_mode():
            return self.model.stable_diffusion_pipeline(
                self.tokenizer,
                text,
                height=output.get("height"),
                width=output.get("width"),
                num_inference_steps=steps,
                guidance_scale=scale,
                negative_prompt=output.get("negative") or None,
                generator=torch.Generator(self.device).manual_seed(seed % 2**63),
                output_type=kind,
            )

    def _measure_pixels(self, request):
        return _tensor(self._pixels(tools.text_and_images(request)[1]))

    def _measure_features(self, request):
        found = self.vision(self._pixels(tools.text_and_images(request)[1]))
        return _tensor(found[-1] if isinstance(found, (list, tuple)) else found)

    def _measure_logits(self, request):
        prompt, images = self._prompt(request)
        ids = torch.tensor(self.tokenizer([prompt]).input_ids, device=self.device)
        out = self.model(input_ids=ids, images=self._pixels(images))
        return _tensor(out.logits, ids=ids[0].tolist())

    def _measure_condition(self, request):
        text, _ = tools.text_and_images(request)
        found = self.model.get_prompt_embeds(self.tokenizer, text, self.device)
        ids = self.tokenizer(text).input_ids
        return _tensor(found[0] if isinstance(found, (list, tuple)) else found, ids=ids)

    def _measure_answer(self, request):
        ids, made = self._generated(request)
        text = self.tokenizer.decode(made, skip_special_tokens=True).strip()
        return {"text": text, "details": {"ids": ids, "made": made}}

    def _measure_image(self, request):
        text, _ = tools.text_and_images(request)
        output = request["output"]
        made = self._drawn(text, output["steps"], output["guidance_scale"], request["seed"], output, "np")
        return _tensor(torch.as_tensor(made[0] if isinstance(made, (list, tuple)) else made))


def _tensor(value, **details):
    value = value.detach().float().cpu().contiguous()
    details["shape"] = list(value.shape)
    return {"images": [value.numpy().tobytes()], "details": details}


def load(options):
    return Original(options)
