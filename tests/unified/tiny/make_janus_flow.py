from common import arguments, byte_tokenizer, randomise, save_tokenizer

clone, folder = arguments()
from diffusers.models import AutoencoderKL  # noqa: E402
from janus.janusflow.models import MultiModalityCausalLM, VLChatProcessor  # noqa: E402
from janus.janusflow.models.image_processing_vlm import VLMImageProcessor  # noqa: E402
from janus.janusflow.models.modeling_vlm import MultiModalityConfig  # noqa: E402
from transformers import LlamaTokenizerFast  # noqa: E402

SPECIALS = [
    "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>", "<image_placeholder>",
    "<begin_of_image>", "<end_of_image>", "<｜begin▁of▁generation｜>", "<|User|>", "<|Assistant|>",
]  # fmt: skip
SIDE = 32
tokens = byte_tokenizer(SPECIALS)
named = {"bos_token": SPECIALS[0], "eos_token": SPECIALS[1], "pad_token": SPECIALS[2]}
tokenizer = LlamaTokenizerFast(tokenizer_object=tokens, add_bos_token=True, **named)
images = VLMImageProcessor(SIDE, image_mean=[0.5] * 3, image_std=[0.5] * 3)
VLChatProcessor(images, tokenizer, num_image_tokens=(SIDE // 16) ** 2).save_pretrained(folder)
save_tokenizer(tokens, folder, "LlamaTokenizerFast", **named)
# Widths 1024, 768 and 2048 stand in the code: few layers, then.
config = MultiModalityConfig(
    vision_und_enc_config={
        "cls": "CLIPVisionTower",
        "params": {"model_name": "siglip_large_patch16_384", "image_size": SIDE, "select_layer": 1},
    },
    vision_gen_enc_config={
        "cls": "ShallowUViTEncoder",
        "params": {"block_out_channels": [768], "input_channels": 4, "kernel_size": 2, "stride": 2,
                   "padding": 0, "layers_in_middle": 1, "hidden_size": 2048, "norm_eps": 1e-6},
    },
    vision_gen_dec_config={
        "cls": "ShallowUViTDecoder",
        "params": {"block_out_channels": [768], "in_channels": 768, "out_channels": 4, "upsamples": 1,
                   "layers_in_middle": 1, "hidden_size": 2048, "norm_eps": 1e-6},
    },
    language_config={
        "hidden_size": 2048, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 16,
        "vocab_size": 256 + len(SPECIALS), "max_position_embeddings": 4096,
    },
)  # fmt: skip
config.torch_dtype = "float32"
randomise(MultiModalityCausalLM(config)).save_pretrained(folder)
vae = AutoencoderKL(
    block_out_channels=(8,) * 4, norm_num_groups=4, latent_channels=4, scaling_factor=0.13025,
    down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
)  # fmt: skip
randomise(vae).save_pretrained(folder + "/vae")
