import glob
import os
import shutil
import sys

from common import arguments, byte_tokenizer, randomise, save_tokenizer, write_json

clone, folder = arguments()
# The modelling code lies beside the weights on the hub, not in the clone.
code = os.path.join(os.path.dirname(os.path.abspath(folder)), "code")
if not os.path.isfile(os.path.join(code, "modeling_ovis_u1.py")):
    sys.exit("%s must hold the Python files of AIDC-AI/Ovis-U1-3B on the hub" % code)
for path in glob.glob(os.path.join(code, "*.py")):
    shutil.copy(path, folder)
import torch  # noqa: E402
from diffusers import AutoencoderKL  # noqa: E402
from transformers import AutoConfig, AutoModelForCausalLM, CLIPImageProcessor  # noqa: E402

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
save_tokenizer(byte_tokenizer(SPECIALS), folder, "Qwen2TokenizerFast", eos_token="<|im_end|>",
               pad_token="<|endoftext|>")  # fmt: skip
pixels = {"min_pixels": 56 * 56, "max_pixels": 112 * 112}
CLIPImageProcessor(
    do_center_crop=False, patch_size=14, hidden_stride=2, temporal_patch_size=1, **pixels
).save_pretrained(folder)
vae = AutoencoderKL(
    block_out_channels=(8,) * 4, norm_num_groups=4, latent_channels=4, scaling_factor=0.13025,
    down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
)  # fmt: skip
write_json(folder, "config.json", {
    "model_type": "ovis_u1", "architectures": ["OvisU1"], "torch_dtype": "bfloat16", "hidden_size": 32,
    "auto_map": {"AutoConfig": "configuration_ovis_u1.OvisU1Config",
                 "AutoModelForCausalLM": "modeling_ovis_u1.OvisU1"},
    "conversation_formatter_class": "Qwen3ConversationFormatter", "multimodal_max_length": 2048,
    "llm_config": {
        "model_type": "qwen3", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 259,
        "max_position_embeddings": 4096, "bos_token_id": 256, "eos_token_id": 258,
    },
    "visual_tokenizer_config": {
        "model_type": "aimv2_visual_tokenizer", "vocab_size": 64, "tokenize_function": "softmax",
        "hidden_stride": 2,
        "backbone_config": {
            "model_type": "aimv2", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 2, "image_size": 56, "patch_size": 14, "hidden_stride": 2,
            "window_size": 56, "fullatt_block_indexes": [1], "preserve_original_pe": True,
            "interpolate_pe_method": "two_dim",
        },
    },
    "visual_generator_config": {
        "model_type": "yak", "in_channels": 16, "out_channels": 16, "vec_in_dim": 32, "context_in_dim": 64,
        "hidden_size": 32, "num_heads": 2, "depth": 2, "depth_single_blocks": 2, "axes_dim": [4, 6, 6],
        "timestep_shift": True, "vae_config": dict(vae.config),
    },
})  # fmt: skip
config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
model = AutoModelForCausalLM.from_config(config, trust_remote_code=True)
randomise(model).to(torch.bfloat16).save_pretrained(folder)
