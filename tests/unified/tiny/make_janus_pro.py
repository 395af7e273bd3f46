from common import arguments, byte_tokenizer, randomise, save_tokenizer

clone, folder = arguments()
from janus.models import MultiModalityCausalLM, VLChatProcessor, VLMImageProcessor  # noqa: E402
from janus.models.modeling_vlm import MultiModalityConfig  # noqa: E402
from transformers import LlamaTokenizerFast  # noqa: E402

SPECIALS = [
    "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>", "<image_placeholder>",
    "<begin_of_image>", "<end_of_image>", "<|User|>", "<|Assistant|>",
]  # fmt: skip
SIDE = 32
tokens = byte_tokenizer(SPECIALS)
named = {"bos_token": SPECIALS[0], "eos_token": SPECIALS[1], "pad_token": SPECIALS[2]}
tokenizer = LlamaTokenizerFast(tokenizer_object=tokens, add_bos_token=True, **named)
images = VLMImageProcessor(SIDE, image_mean=[0.5] * 3, image_std=[0.5] * 3)
processor = VLChatProcessor(images, tokenizer, num_image_tokens=(SIDE // 16) ** 2)
processor.save_pretrained(folder)
save_tokenizer(tokens, folder, "LlamaTokenizerFast", **named)
mlp = {"depth": 2, "projector_type": "mlp_gelu", "n_embed": 32}
vision = {"model_name": "siglip_large_patch16_384", "image_size": SIDE, "select_layer": 1}
config = MultiModalityConfig(
    vision_config={"cls": "CLIPVisionTower", "params": vision},
    aligner_config={"cls": "MlpProjector", "params": dict(mlp, input_dim=1024)},
    gen_vision_config={"cls": "VQ-16", "params": {"image_token_size": 16384, "n_embed": 8}},
    gen_aligner_config={"cls": "MlpProjector", "params": dict(mlp, input_dim=8)},
    gen_head_config={
        "cls": "vision_head",
        "params": {"n_embed": 32, "image_token_embed": 32, "image_token_size": 16384},
    },
    language_config={
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "vocab_size": 256 + len(SPECIALS), "max_position_embeddings": 4096,
    },
)  # fmt: skip
config.torch_dtype = "float32"
randomise(MultiModalityCausalLM(config)).save_pretrained(folder)
