from common import arguments, byte_tokenizer, randomise, save_tokenizer

clone, folder = arguments()
from diffusers.models.autoencoders import AutoencoderKL  # noqa: E402
from omnigen2.models.transformers.transformer_omnigen2 import OmniGen2Transformer2DModel  # noqa: E402
from omnigen2.schedulers.scheduling_flow_match_euler_discrete import (  # noqa: E402
    FlowMatchEulerDiscreteScheduler,
)
from transformers import (  # noqa: E402  # noqa: E402
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2TokenizerFast,
    Qwen2VLImageProcessor,
)

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
            "<|image_pad|>", "<|video_pad|>", "<|img|>"]  # fmt: skip
home = folder + "/processor"
template = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
named = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "chat_template": template}
save_tokenizer(byte_tokenizer(SPECIALS), home, "Qwen2TokenizerFast", **named)
words = Qwen2TokenizerFast.from_pretrained(home)
images = Qwen2VLImageProcessor(patch_size=14, merge_size=2, min_pixels=28 * 28, max_pixels=56 * 56)
Qwen2_5_VLProcessor(images, words).save_pretrained(home)
config = Qwen2_5_VLConfig(
    hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    vocab_size=264, rope_scaling={"type": "mrope", "mrope_section": [1, 1, 2]},
    max_position_embeddings=4096, image_token_id=261, video_token_id=262, vision_start_token_id=259,
    vision_end_token_id=260, bos_token_id=256, eos_token_id=258, pad_token_id=256,
    vision_config={"depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2,
                   "out_hidden_size": 32, "fullatt_block_indexes": [1], "window_size": 28},
)  # fmt: skip
config.torch_dtype = "float32"
randomise(Qwen2_5_VLForConditionalGeneration(config)).save_pretrained(folder + "/mllm")
network = OmniGen2Transformer2DModel(
    hidden_size=48, num_layers=2, num_refiner_layers=1, num_attention_heads=4, num_kv_heads=2,
    multiple_of=16, axes_dim_rope=(4, 4, 4), axes_lens=(1024, 1664, 1664), text_feat_dim=32,
    timestep_scale=1000.0,
)  # fmt: skip
randomise(network).save_pretrained(folder + "/transformer")
FlowMatchEulerDiscreteScheduler().save_pretrained(folder + "/scheduler")
vae = AutoencoderKL(
    block_out_channels=(8,) * 4, norm_num_groups=4, latent_channels=16, scaling_factor=0.3611,
    shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False,
    down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
)  # fmt: skip
randomise(vae).save_pretrained(folder + "/vae")
