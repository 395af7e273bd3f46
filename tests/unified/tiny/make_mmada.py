from dataclasses import fields

from common import arguments, byte_tokenizer, randomise, save_tokenizer

clone, folder = arguments()
from models import MAGVITv2, MMadaConfig, MMadaModelLM  # noqa: E402
from models.configuration_llada import ModelConfig  # noqa: E402

# The ids of the special tokens stand in the code, so the vocabulary has its true size.
SIZE = 126349
HEADERS = ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
SIGNS = ["<|startoftext|>", "<|endoftext|>"]
tokens = byte_tokenizer(SIGNS + HEADERS, fillers=SIZE - 256 - len(SIGNS) - len(HEADERS))
template = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] }}<|eot_id|>{% endfor %}<|start_header_id|>assistant<|end_header_id|>\n\n"
)
save_tokenizer(
    tokens, folder, bos_token=SIGNS[0], eos_token=SIGNS[1], pad_token=SIGNS[1], chat_template=template
)
config = {field.name: getattr(ModelConfig(), field.name) for field in fields(ModelConfig)}
config.update(
    d_model=16, n_heads=2, n_kv_heads=2, n_layers=1, mlp_hidden_size=32, max_sequence_length=2048,
    vocab_size=134656, embedding_size=134656, mask_token_id=126336, rope=True, block_type="llama",
    block_group_size=1, activation_type="silu", layer_norm_type="rms", weight_tying=False,
    include_bias=False, include_qkv_bias=False, bias_for_layer_norm=False, attention_dropout=0.0,
    residual_dropout=0.0, embedding_dropout=0.0, init_device="cpu", alibi=False, flash_attention=False,
    eos_token_id=SIZE - 4, pad_token_id=SIZE - 4, use_cache=False,
)  # fmt: skip
config = {name: getattr(value, "value", value) for name, value in config.items()}
made = MMadaConfig(**config)
made.torch_dtype = "float32"
randomise(MMadaModelLM(made)).save_pretrained(folder)
randomise(MAGVITv2()).save_pretrained(folder + "/magvitv2")
