from common import arguments, byte_tokenizer, randomise, save_tokenizer

clone, folder = arguments()
from models import MAGVITv2, Showo  # noqa: E402
from transformers import PhiConfig  # noqa: E402

END = "<|endoftext|>"
llm = folder + "/llm"
save_tokenizer(byte_tokenizer([END]), llm, bos_token=END, eos_token=END, unk_token=END)
PhiConfig(
    hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, vocab_size=257,
    max_position_embeddings=4096, architectures=["PhiForCausalLM"],
).save_pretrained(llm)  # fmt: skip
model = Showo(
    w_clip_vit=False, vocab_size=257 + 10 + 8192 + 1, llm_vocab_size=257, llm_model_path=llm,
    codebook_size=8192, num_vq_tokens=16, load_from_showo=True,
)  # fmt: skip
randomise(model).save_pretrained(folder)
randomise(MAGVITv2()).save_pretrained(folder + "/magvitv2")
