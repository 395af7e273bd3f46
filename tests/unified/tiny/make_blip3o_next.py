import os

from common import arguments, byte_tokenizer, randomise, save_tokenizer

clone, folder = arguments()
# The code asks the hub for a file when it is imported: it finds an empty one, in a cache as the hub has it.
# Generation uses none of it: the image tokenizer stays without weights.
hub = os.path.abspath(os.path.join(folder, "hub"))
home = os.path.join(hub, "models--csuhan--TA-Tok")
os.makedirs(os.path.join(home, "snapshots", "0" * 40), exist_ok=True)
os.makedirs(os.path.join(home, "refs"), exist_ok=True)
open(os.path.join(home, "snapshots", "0" * 40, "ta_tok.pth"), "w").close()
with open(os.path.join(home, "refs", "main"), "w") as stream:
    stream.write("0" * 40)
os.environ["HF_HUB_CACHE"], os.environ["HF_HUB_OFFLINE"] = hub, "1"
import torch  # noqa: E402
from blip3o.model import blip3oQwenForInferenceLM  # noqa: E402
from blip3o.model.language_model.blip3o_qwen_inference import blip3oQwenConfig  # noqa: E402
from diffusers import AutoencoderDC, FlowMatchEulerDiscreteScheduler, SanaTransformer2DModel  # noqa: E402

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<im_start>", "<im_end>", "<S0>", "<S1>", "<S2>"]
tokens = byte_tokenizer(SPECIALS)
template = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
save_tokenizer(tokens, folder, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=template)
sana = folder + "/sana"
network = SanaTransformer2DModel(
    in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=8, num_layers=1,
    num_cross_attention_heads=2, cross_attention_head_dim=8, cross_attention_dim=16,
    caption_channels=2304, sample_size=32, patch_size=1,
)  # fmt: skip
randomise(network).save_pretrained(sana + "/transformer")
vae = AutoencoderDC(
    latent_channels=4, attention_head_dim=4, encoder_block_out_channels=(8, 8),
    encoder_layers_per_block=(1, 1),
    encoder_block_types=("ResBlock",) * 2, encoder_qkv_multiscales=((), ()),
    decoder_block_out_channels=(8, 8), decoder_layers_per_block=(1, 1),
    decoder_block_types=("ResBlock",) * 2, decoder_qkv_multiscales=((), ()),
    decoder_norm_types=("rms_norm",) * 2, decoder_act_fns=("silu",) * 2, scaling_factor=0.41407,
)  # fmt: skip
randomise(vae).save_pretrained(sana + "/vae")
FlowMatchEulerDiscreteScheduler(shift=3.0).save_pretrained(sana + "/scheduler")
config = blip3oQwenConfig(
    hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    head_dim=8, vocab_size=256 + len(SPECIALS), max_position_embeddings=4096, bos_token_id=256,
    eos_token_id=258, pad_token_id=256, tie_word_embeddings=False,
)  # fmt: skip
config.image_start_tag_id, config.image_end_tag_id = 259, 260
config.mm_vision_tower, config.delay_load, config.diffusion_name_or_path = "none", True, sana
config.torch_dtype = "bfloat16"
randomise(blip3oQwenForInferenceLM(config)).to(torch.bfloat16).save_pretrained(folder)
