# BLIP3o-NEXT through the official code (github.com/JiuhaiChen/BLIP3o, package blip3o): a language model
# writes discrete image tokens, whose hidden states are the condition of SANA. The code generates from text
# alone, and fetches its image tokenizer from the hub when it is imported.
import adapter_tools as tools
import torch

PROMPT = "Please generate image based on the following caption: "


class Blip3oNext(tools.OneByOne):
    def __init__(self, options):
        tools.repository(options)
        from blip3o.model import blip3oQwenForInferenceLM
        from transformers import AutoTokenizer

        self.options = options
        self.device, _ = tools.device_and_dtype(options)
        source = options["argument"]
        model = blip3oQwenForInferenceLM.from_pretrained(source, torch_dtype=torch.bfloat16)
        self.model = model.to(self.device).eval()  # the code's noise is bfloat16, on any device
        self.tokenizer = AutoTokenizer.from_pretrained(source)
        self.info = {
            "name": options.get("title", "blip3o-next"),
            "parameters": tools.parameters(self.model),
            "precision": "bfloat16",
            "capabilities": ["image"],
        }

    def _images(self, request):
        inputs = self._prompt(tools.text_alone(request, "BLIP3o-NEXT's code"))
        output, number = request["output"], tools.number
        vae = self.model.model.sana_vae
        tools.square(output, 32 * 2 ** (len(vae.config.encoder_block_out_channels) - 1), "BLIP3o-NEXT")
        settings = {
            "guidance_scale": tools.guidance(output, self.options, 2.0),
            "num_inference_steps": tools.steps(output, self.options, 30),
            "max_new_tokens": number(self.options, "image_tokens", 729),
            "top_p": number(self.options, "top_p", 0.95),
            "top_k": number(self.options, "top_k", 1200),
            "temperature": number(self.options, "temperature", 1.0),
        }
        made = tools.several(lambda seed: self.model.generate_images(*inputs, **settings)[1][0], request)
        return {"images": made, "details": settings}

    def _prompt(self, text):
        """Ids and mask; the prompt of inference.py of the repository."""
        messages = [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": PROMPT + text},
        ]
        prompt = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        prompt += "<im_start><S%d>" % tools.number(self.options, "scale", 0)
        found = self.tokenizer([prompt], return_tensors="pt")
        return found.input_ids.to(self.device), found.attention_mask.to(self.device)


def load(options):
    return Blip3oNext(options)
