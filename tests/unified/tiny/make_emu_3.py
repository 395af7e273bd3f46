import base64

from common import BYTES, arguments, randomise, write_json

clone, folder = arguments()
from emu3.mllm import Emu3Config, Emu3ForCausalLM  # noqa: E402
from emu3.tokenizer import Emu3VisionVQConfig, Emu3VisionVQImageProcessor, Emu3VisionVQModel  # noqa: E402

assert len(BYTES) < 256
# The ids of the special tokens stand in the code, so the vocabulary has its true size.
words = [bytes([n]) for n in range(256)] + [b"\x00filler %d" % n for n in range(151643 - 256)]
with open(folder + "/emu3.tiktoken", "wb") as stream:
    stream.writelines(base64.b64encode(word) + b" %d\n" % rank for rank, word in enumerate(words))
vision = ["<|image token|>", "<|image start|>", "<|image end|>"]
vision += ["<|visual token %06d|>" % n for n in range(32768)]
with open(folder + "/emu3_vision_tokens.txt", "w") as stream:
    stream.write("\n".join(vision))
write_json(folder, "tokenizer_config.json", {"tokenizer_class": "Emu3Tokenizer"})
config = Emu3Config(
    hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
    max_position_embeddings=4096, image_area=32 * 32,
)  # fmt: skip
config.torch_dtype = "float32"
randomise(Emu3ForCausalLM(config)).save_pretrained(folder)
vq = Emu3VisionVQModel(Emu3VisionVQConfig(ch=32, num_res_blocks=1))
randomise(vq).save_pretrained(folder + "/vq")
Emu3VisionVQImageProcessor(min_pixels=32 * 32, max_pixels=64 * 64).save_pretrained(folder + "/vq")
