# Show-o2 through the official code (github.com/showlab/Show-o, folder show-o2): answers questions about
# images, generates images by flow matching in Wan 2.1's latents.
import adapter_tools as tools
import torch

SYSTEM = "system\nYou are a helpful assistant.<|im_end|>"


class ShowO2(tools.OneByOne):
    def __init__(self, options):
        clone = tools.repository(options, "show-o2")
        from models import Showo2Qwen2_5, WanVAE
        from models.misc import get_text_tokenizer

        self.options, self.clone = options, clone
        self.device, self.dtype = tools.device_and_dtype(options)
        llm = options.get("llm", "Qwen/Qwen2.5-1.5B-Instruct")
        self.tokenizer, self.ids = get_text_tokenizer(
            llm, add_showo_tokens=True, return_showo_token_ids=True, llm_name="qwen2_5"
        )
        model = Showo2Qwen2_5.from_pretrained(options["argument"], use_safetensors=False)
        self.model = model.to(self.device, self.dtype).eval()
        self.vae = WanVAE(vae_pth=options.get("vae", "Wan2.1_VAE.pth"), dtype=self.dtype, device=self.device)
        config = self.model.config
        self.grid = config.image_latent_height, config.image_latent_width
        self.side = config.image_latent_width * config.patch_size * 8
        self.tokens = self.grid[0] * self.grid[1] + bool(config.add_time_embeds)
        self.info = {
            "name": options.get("title", "show-o2"),
            "parameters": tools.parameters(self.model, self.vae.model),
            "capabilities": ["text", "image"],
        }

    def _text(self, request):
        output = request["output"]
        tools.require(output["num_beams"] == 1, "Show-o2's code has no beam search.")
        with tools.seeded(request["seed"]):
            embeds, images = self._prompt(request)
            mask = self._mask(embeds.shape[1], images)
            sampled = output["temperature"] > 0
            ids = self.model.mmu_generate(
                input_embeds=embeds,
                attention_mask=mask.to(embeds.dtype),
                top_k=None if sampled else 1,  # 1: the likeliest, as inference_mmu.py does
                temperature=output["temperature"] if sampled else 1.0,
                max_new_tokens=output["max_new_tokens"],
                eos_token=self.tokenizer.eos_token_id,
            )
        text = self.tokenizer.decode([int(one) for one in ids], skip_special_tokens=True)
        return tools.text_answer(text, len(ids), output)

    def _prompt(self, request):
        """Embeddings of the dialogue, each image between its two signs, and where the images lie."""
        embed = self.model.showo.model.embed_tokens
        pieces, images, length = [], [], 0

        def add(ids=None, values=None):
            nonlocal length
            values = embed(torch.tensor([ids], device=self.device)) if values is None else values
            pieces.append(values)
            length += values.shape[1]

        def words(text):
            return self.tokenizer(text, add_special_tokens=False)["input_ids"]

        add([self.ids["bos_id"], *words(SYSTEM)])
        for role, parts in tools.turns(request):
            if role == "system":
                continue
            add(words("\n<|im_start|>%s\n" % role))
            for part in parts:
                if isinstance(part, str):
                    add(words(part)) if part else None
                    continue
                add([self.ids["boi_id"]])
                images.append((length, self.tokens))
                add(values=self._seen(part))
                add([self.ids["eoi_id"]])
        add(words("\n<|im_start|>assistant\n" + request["prefill"]))
        return torch.cat(pieces, 1).to(self.dtype), images

    def _seen(self, image):
        """Embeddings of an image: the autoencoder's latents on both paths, fused, behind the time 1."""
        prepared, model = tools.as_pixels(image, self.side).to(self.device), self.model
        latents = self.vae.sample(prepared[None, :, None]).squeeze(2).to(self.dtype)
        und = model.image_embedder_und(latents) + model.position_embedding(model.image_position_ids)
        und = model.und_trans(und)["last_hidden_state"]
        seen = model.fusion_proj(torch.cat([und, model.image_embedder_gen(latents)], -1))
        if not model.config.add_time_embeds:
            return seen
        time = model.time_embed(torch.ones(1, 1, device=self.device), seen.dtype)
        if hasattr(model, "time_embed_proj"):
            time = model.time_embed_proj(time)
        return torch.cat([time.view(1, 1, -1), seen], 1)

    def _mask(self, length, images):
        from models import omni_attn_mask_naive

        places = torch.tensor([images or [(0, 0)]], device=self.device)
        return omni_attn_mask_naive(B=1, LEN=length, modalities=places, device=self.device, inverted=True)

    def _images(self, request):
        return tools.fixed_size_images(
            request, self.options, "Show-o2", self.side, self._flow, guidance_scale=5.0, num_steps=50
        )

    def _flow(self, text, steps, scale):
        """One image; as inference_t2i.py does it, without its safety checker."""
        from models import omni_attn_mask_naive
        from models.misc import prepare_gen_input
        from transport import Sampler, create_transport

        config, ids = self.model.config, self.ids
        longest = tools.number(self.options, "max_seq_length", 1024)
        room = longest - self.tokens - 4
        with_text, without, places, places_without = prepare_gen_input(
            [text], self.tokenizer, self.tokens, ids["bos_id"], ids["eos_id"], ids["boi_id"], ids["eoi_id"],
            self.tokenizer.pad_token_id, ids["img_pad_id"], room, self.device,
        )  # fmt: skip
        shape = (
            1,
            config.image_latent_dim,
            self.grid[0] * config.patch_size,
            self.grid[1] * config.patch_size,
        )
        noise = torch.randn(shape).to(self.device, self.dtype)
        tokens = torch.cat([with_text, without])
        positions = torch.cat([places, places_without])
        mask = omni_attn_mask_naive(2, longest, positions, self.device).to(self.dtype)
        transport = create_transport(
            path_type="Linear", prediction="velocity", snr_type="lognorm", do_shift=True, seq_len=self.tokens
        )
        sample = Sampler(transport).sample_ode(
            sampling_method="euler", num_steps=steps, atol=1e-6, rtol=1e-3, reverse=False,
            time_shifting_factor=tools.number(self.options, "time_shifting_factor", 3.0),
        )  # fmt: skip
        latents = sample(
            torch.cat([noise, noise]), self.model.t2i_generate, text_tokens=tokens, attention_mask=mask,
            modality_positions=positions, output_hidden_states=True, max_seq_len=longest,
            guidance_scale=scale,
        )[-1].chunk(2)[0]  # fmt: skip
        return tools.as_image(self.vae.batch_decode(latents.unsqueeze(2)).squeeze(2)[0])


def load(options):
    return ShowO2(options)
