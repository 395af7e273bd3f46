from common import arguments, byte_tokenizer, randomise, save_tokenizer

clone, folder = arguments()
import sys  # noqa: E402

sys.path.insert(0, clone + "/show-o2")
import torch  # noqa: E402
from models import Showo2Qwen2_5  # noqa: E402
from models.misc import get_text_tokenizer  # noqa: E402
from models.modeling_siglip import SiglipModel  # noqa: E402
from models.wan21_vae import WanVAE_  # noqa: E402
from transformers import Qwen2Config, SiglipConfig  # noqa: E402

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
            "<|image_pad|>", "<|video_pad|>"]  # fmt: skip
llm = folder + "/llm"
save_tokenizer(byte_tokenizer(SPECIALS), llm, "Qwen2TokenizerFast", eos_token="<|im_end|>",
               pad_token="<|endoftext|>")  # fmt: skip
Qwen2Config(
    hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    vocab_size=272, max_position_embeddings=4096, architectures=["Qwen2ForCausalLM"],
).save_pretrained(llm)  # fmt: skip
small = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
siglip = SiglipConfig(
    vision_config=dict(small, image_size=64, patch_size=16), text_config=dict(small, vocab_size=300)
)
siglip.torch_dtype = "float32"
randomise(SiglipModel(siglip)).save_pretrained(folder + "/siglip")
words, _ = get_text_tokenizer(llm, True, True, "qwen2_5")
model = Showo2Qwen2_5(
    llm_vocab_size=len(words), llm_model_path=llm, load_from_showo=True, image_latent_height=4,
    image_latent_width=4, hidden_size=64, clip_latent_dim=32, num_diffusion_layers=1, add_qk_norm=True,
    clip_pretrained_model_path=folder + "/siglip",
)  # fmt: skip
randomise(model).save_pretrained(folder, safe_serialization=False)
vae = WanVAE_(dim=96, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, attn_scales=[],
              temperal_downsample=[False, True, True], dropout=0.0)  # fmt: skip
torch.save(randomise(vae).state_dict(), folder + "/Wan2.1_VAE.pth")
