# Stands in for the pipeline that lies beside BLIP3-o's weights on the hub: the same class, components and
# arguments, written for the tests. Features of the prompt and of no caption condition an SDXL-like network.
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.utils import BaseOutput
from PIL import Image


@dataclass
class EmuVisualGenerationPipelineOutput(BaseOutput):
    image: Any
    nsfw_content_detected: Any = None


class EmuVisualGenerationPipeline(DiffusionPipeline):
    def __init__(
        self, tokenizer, multimodal_encoder, scheduler, unet, vae, feature_extractor, safety_checker
    ):
        super().__init__()
        self.register_modules(
            tokenizer=tokenizer, multimodal_encoder=multimodal_encoder, scheduler=scheduler, unet=unet,
            vae=vae, feature_extractor=feature_extractor, safety_checker=safety_checker,
        )  # fmt: skip
        self.negative_prompt = {}

    @torch.no_grad()
    def __call__(self, inputs, height=1024, width=1024, num_inference_steps=50, guidance_scale=3.0):
        dtype, device = self.unet.dtype, self.unet.device

        def features(text):
            return self.multimodal_encoder.generate_image(text=[text], tokenizer=self.tokenizer)

        condition = [features("".join(inputs))]
        if guidance_scale > 1:
            if "" not in self.negative_prompt:
                self.negative_prompt[""] = features(" ")
            condition.append(self.negative_prompt[""])
        embeds = torch.cat(condition).to(device, dtype)
        sizes = torch.tensor([[1024, 1024, 0, 0, height, width]] * len(condition), device=device)
        added = {"time_ids": sizes, "text_embeds": embeds.mean(1)}
        self.scheduler.set_timesteps(num_inference_steps, device=device)
        latents = torch.randn(1, self.unet.config.in_channels, height // 8, width // 8).to(device, dtype)
        latents = latents * self.scheduler.init_noise_sigma
        for time in self.scheduler.timesteps:
            seen = self.scheduler.scale_model_input(torch.cat([latents] * len(condition)), time)
            noise = self.unet(seen, time, encoder_hidden_states=embeds, added_cond_kwargs=added).sample
            if len(condition) > 1:
                wanted, without = noise.chunk(2)
                noise = without + guidance_scale * (wanted - without)
            latents = self.scheduler.step(noise, time, latents).prev_sample
        pixels = self.vae.decode(latents / self.vae.config.scaling_factor).sample[0]
        pixels = (pixels / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).float().cpu().numpy()
        image = Image.fromarray((pixels * 255).round().astype("uint8"))
        return EmuVisualGenerationPipelineOutput(image=image)
