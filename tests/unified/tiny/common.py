# What the makers of tiny checkpoints share. Each runs in its model's environment:
# ENV/bin/python make_NAME.py CLONE FOLDER, and writes random weights of the model's real classes.
import os
import sys

BYTES = (
    [chr(c) for c in range(33, 127)] + [chr(c) for c in range(161, 173)] + [chr(c) for c in range(174, 256)]
)


def arguments():
    """The clone, put on the path, and the folder to write."""
    import torch

    clone, folder = sys.argv[1:3]
    sys.path.insert(0, clone)
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(0)
    return clone, folder


def byte_tokenizer(specials, fillers=0):
    """A tokenizer of single bytes, as GPT-2 writes them, and special tokens; ids 0 to 255 are the bytes, then
    come as many words that no text has."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    alphabet = BYTES + [chr(256 + n) for n in range(256 - len(BYTES))]
    vocabulary = {sign: place for place, sign in enumerate(alphabet)}
    vocabulary.update({"<filler %d>" % n: 256 + n for n in range(fillers)})
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(one, special=True) for one in specials])
    return tokenizer


def save_tokenizer(tokenizer, folder, kind="PreTrainedTokenizerFast", **named):
    """The tokenizer as transformers keeps it."""
    from transformers import PreTrainedTokenizerFast

    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)
    made.save_pretrained(folder)
    import json

    path = os.path.join(folder, "tokenizer_config.json")
    with open(path) as stream:
        config = json.load(stream)
    config["tokenizer_class"] = kind
    with open(path, "w") as stream:
        json.dump(config, stream)
    return made


def write_json(folder, name, value):
    import json

    with open(os.path.join(folder, name), "w") as stream:
        json.dump(value, stream, indent=1)


def randomise(module, scale=0.2, seed=0):
    """Random weights everywhere, zero-initialised ones too, so that every path matters."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in module.parameters():
            if weight.ndim > 1:
                fan = weight[0].numel()
                weight.copy_(torch.randn(weight.shape, generator=generator) * fan**-0.5)
            else:
                weight.add_(torch.randn(weight.shape, generator=generator) * scale * 0.1)
    return module
