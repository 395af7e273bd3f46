import os
import shutil
import sys

from common import arguments, byte_tokenizer, randomise, save_tokenizer, write_json

clone, folder = arguments()
# What the code asks of the hub, in a cache as the hub has it: a folder of which nothing is used, and the
# settings of a scheduler.
hub = os.path.abspath(os.path.join(folder, "hub"))


def snapshot(name):
    home = os.path.join(hub, "models--" + name.replace("/", "--"))
    os.makedirs(os.path.join(home, "refs"), exist_ok=True)
    with open(os.path.join(home, "refs", "main"), "w") as stream:
        stream.write("0" * 40)
    place = os.path.join(home, "snapshots", "0" * 40)
    os.makedirs(place, exist_ok=True)
    return place


os.environ["HF_HUB_CACHE"], os.environ["HF_HUB_OFFLINE"] = hub, "1"
snapshot("jiuhai/eva_clip_vision_tower")
from diffusers import (  # noqa: E402
    AutoencoderKL,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    UNet2DConditionModel,
)

FlowMatchEulerDiscreteScheduler().save_pretrained(
    os.path.join(snapshot("Alpha-VLLM/Lumina-Next-SFT-diffusers"), "scheduler")
)
stand_ins = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "stand_ins")
sys.path.insert(0, stand_ins)
from small_blip_3o import shrink  # noqa: E402

shrink()
from blip3o.model import blip3oQwenForInferenceLM  # noqa: E402
from blip3o.model.language_model.blip3o_qwen_inference import blip3oQwenConfig  # noqa: E402
from transformers import (  # noqa: E402
    CLIPImageProcessor,
    Qwen2_5_VLProcessor,
    Qwen2TokenizerFast,
    Qwen2VLImageProcessor,
)

# Two ids stand in the code, so the vocabulary has Qwen's size: 151655 is the image that is read, 151665 the
# sign before the one that is generated.
NAMED = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *("<|spare%d|>" % n for n in range(6)),
         "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
         *("<|other%d|>" % n for n in range(8)), "[IMG]", "[/IMG]", "<image>"]  # fmt: skip
FIRST = 151643
template = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for part in m['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}"
    "{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
named = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "chat_template": template}
tokens = byte_tokenizer(NAMED, fillers=FIRST - 256)
assert tokens.token_to_id("<|image_pad|>") == 151655
assert tokens.token_to_id("[IMG]") == 151665
save_tokenizer(tokens, folder, "Qwen2TokenizerFast", **named)
processor = folder + "/processor"
images = Qwen2VLImageProcessor(patch_size=14, merge_size=2, min_pixels=28 * 28, max_pixels=56 * 56)
words = Qwen2TokenizerFast.from_pretrained(folder)
Qwen2_5_VLProcessor(images, words, chat_template=template).save_pretrained(processor)
config = blip3oQwenConfig(
    hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    vocab_size=FIRST + len(NAMED), rope_scaling={"type": "mrope", "mrope_section": [1, 1, 2]},
    max_position_embeddings=4096, image_token_id=151655, video_token_id=151656,
    vision_start_token_id=151652, vision_end_token_id=151653, bos_token_id=151643, eos_token_id=151645,
    pad_token_id=151643, tie_word_embeddings=False,
    vision_config={"depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2,
                   "out_hidden_size": 32, "fullatt_block_indexes": [1], "window_size": 28},
)  # fmt: skip
config.mm_vision_tower = config.gen_vision_tower = "eva-clip-E-14-plus"
config.vision_tower_pretrained, config.n_query, config.gen_pooling = "", 64, "early_pool2d_4"
config.mm_use_im_patch_token = config.mm_use_im_start_end = False
config.torch_dtype = "float32"
randomise(blip3oQwenForInferenceLM(config)).save_pretrained(folder)

decoder = folder + "/diffusion-decoder"
unet = UNet2DConditionModel(
    sample_size=8, block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4, attention_head_dim=4,
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=1792,
    addition_embed_type="text_time", addition_time_embed_dim=4,
    projection_class_embeddings_input_dim=1792 + 6 * 4,
)  # fmt: skip
randomise(unet).save_pretrained(decoder + "/unet", variant="bf16")
vae = AutoencoderKL(
    block_out_channels=(8,) * 4, norm_num_groups=4, latent_channels=4, scaling_factor=0.13025,
    down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
)  # fmt: skip
randomise(vae).save_pretrained(decoder + "/vae", variant="bf16")
EulerDiscreteScheduler().save_pretrained(decoder + "/scheduler")
CLIPImageProcessor().save_pretrained(decoder + "/feature_extractor")
shutil.copy(os.path.join(stand_ins, "pipeline_llava_gen.py"), decoder)
write_json(decoder, "model_index.json", {
    "_class_name": "EmuVisualGenerationPipeline", "_diffusers_version": "0.32.2",
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "multimodal_encoder": ["transformers", "PreTrainedModel"],
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    "tokenizer": ["transformers", "Qwen2TokenizerFast"],
    "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
})  # fmt: skip
