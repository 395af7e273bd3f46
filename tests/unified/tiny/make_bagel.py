import os

from common import arguments, byte_tokenizer, randomise, write_json

clone, folder = arguments()
import torch  # noqa: E402
from modeling.autoencoder import load_ae  # noqa: E402
from modeling.bagel import (  # noqa: E402  # noqa: E402
    Bagel,
    BagelConfig,
    Qwen2Config,
    Qwen2ForCausalLM,
    SiglipVisionConfig,
    SiglipVisionModel,
)
from safetensors.torch import save_file  # noqa: E402

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
bytes_only = byte_tokenizer([])
write_json(folder, "vocab.json", bytes_only.get_vocab())
with open(os.path.join(folder, "merges.txt"), "w") as stream:
    stream.write("#version: 0.2\n")
added = {str(256 + place): {"content": one, "special": True} for place, one in enumerate(SPECIALS)}
write_json(folder, "tokenizer_config.json", {
    "tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": added, "eos_token": "<|im_end|>",
    "pad_token": "<|endoftext|>", "additional_special_tokens": SPECIALS[1:3],
})  # fmt: skip
llm = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
       "num_key_value_heads": 2, "vocab_size": 261, "max_position_embeddings": 4096}  # fmt: skip
vit = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
       "image_size": 980, "patch_size": 14}  # fmt: skip
write_json(folder, "llm_config.json", llm)
write_json(folder, "vit_config.json", vit)
vae, vae_config = load_ae(None)
save_file(randomise(vae).to(torch.bfloat16).state_dict(), folder + "/ae.safetensors")
llm = Qwen2Config(**llm)
llm.qk_norm, llm.tie_word_embeddings, llm.layer_module = True, False, "Qwen2MoTDecoderLayer"
vit = SiglipVisionConfig(**vit)
vit.rope, vit.num_hidden_layers = False, 1
config = BagelConfig(llm_config=llm, vit_config=vit, vae_config=vae_config, max_latent_size=64)
model = Bagel(Qwen2ForCausalLM(llm), SiglipVisionModel(vit), config)
model.vit_model.vision_model.embeddings.convert_conv2d_to_linear(vit)
keep = {name: value.clone() for name, value in model.state_dict().items() if "pos_embed" in name}
randomise(model)
model.load_state_dict(keep, strict=False)  # sines
save_file(model.to(torch.bfloat16).state_dict(), folder + "/ema.safetensors")
