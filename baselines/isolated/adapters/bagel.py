# BAGEL through the official code (github.com/ByteDance-Seed/Bagel): answers questions about images, generates
# and edits images by rectified flow, thinks in words before an image.
import os

import adapter_tools as tools
import torch

SAME_DEVICE = (
    "language_model.model.embed_tokens", "time_embedder", "latent_pos_embed", "vae2llm", "llm2vae",
    "connector", "vit_pos_embed",
)  # fmt: skip


class Bagel(tools.OneByOne):
    def __init__(self, options):
        tools.repository(options)
        from data.transforms import ImageTransform
        from inferencer import InterleaveInferencer

        self.options = options
        self.device, _ = tools.device_and_dtype(options)
        self.dtype = torch.bfloat16  # the code casts to it, on any device
        model, vae, tokenizer, ids = self._loaded(options["argument"])
        vae_sizes = [int(one) for one in options.get("vae_sizes", "1024,512").split(",")]
        vit_sizes = [int(one) for one in options.get("vit_sizes", "980,224").split(",")]
        self.tokenizer = tokenizer
        self.infer = InterleaveInferencer(
            model, vae, tokenizer, ImageTransform(*vae_sizes, 16), ImageTransform(*vit_sizes, 14), ids
        )
        self.info = {
            "name": options.get("title", "bagel"),
            "parameters": tools.parameters(model, vae),
            "precision": "bfloat16",
        }

    def _loaded(self, folder):
        """Model, autoencoder and tokenizer; as inference.ipynb of the repository loads them."""
        from accelerate import init_empty_weights, load_checkpoint_and_dispatch
        from data.data_utils import add_special_tokens
        from modeling.autoencoder import load_ae
        from modeling.bagel import Bagel as Network
        from modeling.bagel import (
            BagelConfig,
            Qwen2Config,
            Qwen2ForCausalLM,
            SiglipVisionConfig,
            SiglipVisionModel,
        )
        from modeling.qwen2 import Qwen2Tokenizer

        llm = Qwen2Config.from_json_file(os.path.join(folder, "llm_config.json"))
        llm.qk_norm, llm.tie_word_embeddings, llm.layer_module = True, False, "Qwen2MoTDecoderLayer"
        vit = SiglipVisionConfig.from_json_file(os.path.join(folder, "vit_config.json"))
        vit.rope, vit.num_hidden_layers = False, vit.num_hidden_layers - 1
        vae, vae_config = load_ae(local_path=os.path.join(folder, "ae.safetensors"))
        config = BagelConfig(
            visual_gen=True, visual_und=True, llm_config=llm, vit_config=vit, vae_config=vae_config,
            vit_max_num_patch_per_side=70, connector_act="gelu_pytorch_tanh", latent_patch_size=2,
            max_latent_size=64,
        )  # fmt: skip
        with init_empty_weights():
            model = Network(Qwen2ForCausalLM(llm), SiglipVisionModel(vit), config)
            model.vit_model.vision_model.embeddings.convert_conv2d_to_linear(vit, meta=True)
        where = "cuda:0" if str(self.device) == "cuda" else str(self.device)
        tokenizer, ids, _ = add_special_tokens(Qwen2Tokenizer.from_pretrained(folder))
        model = load_checkpoint_and_dispatch(
            model,
            checkpoint=os.path.join(folder, "ema.safetensors"),
            device_map={"": where, **dict.fromkeys(SAME_DEVICE, where)},
            offload_buffers=True,
            dtype=self.dtype,
            force_hooks=True,
        )
        return model.eval(), vae.to(self.device, self.dtype).eval(), tokenizer, ids

    def _text(self, request):
        output = request["output"]
        tools.require(output["num_beams"] == 1, "BAGEL's code has no beam search.")
        tools.require(not request["prefill"], "BAGEL's code cannot continue an answer that has begun.")
        with tools.seeded(request["seed"]), torch.autocast(self.device.type, torch.bfloat16):
            (text,) = self.infer.interleave_inference(
                tools.parts(request),
                understanding_output=True,
                think=tools.switch(self.options, "think"),
                do_sample=output["temperature"] > 0,
                text_temperature=output["temperature"] or 1.0,
                max_think_token_n=output["max_new_tokens"] + 1,  # the sign that begins the answer counts
            )
        return tools.text_answer(text, None, output)  # the code does not say how many tokens

    def _settings(self, output, edits):
        """Guidance and steps: the request's, else the options', else those of the repository."""
        number = tools.number
        text_scale = output["guidance_scale"]
        return {
            "cfg_text_scale": number(self.options, "cfg_text_scale", 4.0)
            if text_scale is None
            else text_scale,
            "cfg_img_scale": number(self.options, "cfg_img_scale", 2.0 if edits else 1.0),
            "cfg_interval": [number(self.options, "cfg_interval", 0.0 if edits else 0.4), 1.0],
            "cfg_renorm_min": number(self.options, "cfg_renorm_min", 0.0),
            "cfg_renorm_type": self.options.get("cfg_renorm_type", "text_channel" if edits else "global"),
            "timestep_shift": number(self.options, "timestep_shift", 3.0),
            "num_timesteps": tools.steps(output, self.options, 50),
        }

    def _generate(self, request, output, think):
        parts = tools.parts(request)
        width, height = tools.size(output, self.options, 1024, 16, "BAGEL")
        # Images first, as in the repository's calls; an edit has the size of its last image.
        parts = [part for part in parts if not isinstance(part, str)] + [
            part for part in parts if isinstance(part, str)
        ]
        settings = self._settings(output, edits=not isinstance(parts[0], str))
        with torch.autocast(self.device.type, torch.bfloat16):
            made = self.infer.interleave_inference(
                parts,
                think=think,
                image_shapes=(height, width),
                max_think_token_n=tools.number(self.options, "max_think_tokens", 1000),
                **settings,
            )
        return made, settings

    def _images(self, request):
        output, think = request["output"], tools.switch(self.options, "think")
        made = tools.several(lambda seed: self._generate(request, output, think), request)
        details = dict(made[0][1], think=think)
        if think:
            details["thoughts"] = [parts[0] for parts, _ in made]
        return {"images": [parts[-1] for parts, _ in made], "details": details}

    def _document(self, request):
        """What it thinks, and the image: the interleaved answer of the repository's own code."""
        with tools.seeded(request["seed"]):
            parts, settings = self._generate(request, request["output"]["image"], think=True)
        return {"parts": parts, "details": settings}


def load(options):
    return Bagel(options)
