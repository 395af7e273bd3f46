# JanusFlow through the official code (github.com/deepseek-ai/Janus, package janus.janusflow): answers
# questions about images, generates 384x384 images by rectified flow in the latents of SDXL's autoencoder.
import adapter_tools as tools
import torch
from janus_pro import Janus


class JanusFlow(Janus):
    def __init__(self, options):
        tools.repository(options)
        from diffusers.models import AutoencoderKL
        from janus.janusflow.models import MultiModalityCausalLM, VLChatProcessor

        self.options = options
        self.device, self.dtype = tools.device_and_dtype(options)
        self.processor = VLChatProcessor.from_pretrained(options["argument"])
        self.tokenizer = self.processor.tokenizer
        model = MultiModalityCausalLM.from_pretrained(options["argument"], torch_dtype=self.dtype)
        self.model = model.to(self.device).eval()
        vae = AutoencoderKL.from_pretrained(options.get("vae", "stabilityai/sdxl-vae"))
        self.vae = vae.to(self.device, self.dtype).eval()
        self.info = {
            "name": options.get("title", "janusflow"),
            "parameters": tools.parameters(self.model, self.vae),
            "capabilities": ["text", "image"],
        }

    def _images(self, request):
        return tools.fixed_size_images(
            request, self.options, "JanusFlow", 384, self._flow, guidance_scale=2.0, num_steps=30
        )

    def _flow(self, text, steps, scale):
        """One image; the loop of demo/app_janusflow.py, which runs the prompt with every step, too."""
        model = self.model
        turns = [{"role": "User", "content": text}, {"role": "Assistant", "content": ""}]
        prompt = self._prompt(turns, "") + self.processor.image_gen_tag
        ids = torch.tensor(self.tokenizer.encode(prompt), device=self.device)
        pair = ids.repeat(2, 1)
        pair[1, 1:] = self.processor.pad_id
        embeds = model.language_model.get_input_embeddings()(pair)[:, :-1]  # the time stands for the last
        mask = torch.ones((2, embeds.shape[1] + 577), dtype=torch.int, device=self.device)
        mask[1, 1 : embeds.shape[1]] = 0
        z = torch.randn((1, 4, 48, 48)).to(self.device, self.dtype)
        for step in range(steps):
            time = torch.full((2,), step / steps * 1000.0, device=self.device, dtype=self.dtype)
            z_emb, t_emb, skips = model.vision_gen_enc_model(torch.cat([z, z]), time)
            z_emb = model.vision_gen_enc_aligner(z_emb.flatten(2).transpose(1, 2))
            sequence = torch.cat([embeds, t_emb.unsqueeze(1), z_emb], 1)
            hidden = model.language_model.model(inputs_embeds=sequence, attention_mask=mask).last_hidden_state
            hidden = model.vision_gen_dec_aligner(model.vision_gen_dec_aligner_norm(hidden[:, -576:]))
            hidden = hidden.transpose(1, 2).reshape(2, -1, 24, 24)
            with_text, without = model.vision_gen_dec_model(hidden, skips, t_emb).chunk(2)
            z = z + (scale * with_text - (scale - 1.0) * without) / steps
        return tools.as_image(self.vae.decode(z / self.vae.config.scaling_factor).sample[0])


def load(options):
    return JanusFlow(options)
