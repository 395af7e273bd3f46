# Ovis-U1 through the official code: the scripts of github.com/AIDC-AI/Ovis-U1, and the modelling code beside
# its weights. Answers questions about images, generates and edits images by a diffusion transformer behind
# the language model.
import importlib

import adapter_tools as tools
import torch


class OvisU1(tools.OneByOne):
    def __init__(self, options):
        tools.repository(options)
        from transformers import AutoModelForCausalLM

        self.options = options
        self.device, _ = tools.device_and_dtype(options)
        model = AutoModelForCausalLM.from_pretrained(
            options["argument"], torch_dtype=torch.bfloat16, trust_remote_code=True
        )
        self.model = model.to(self.device, torch.bfloat16).eval()  # the code's noise is bfloat16 anywhere
        if self.device.type == "cpu":
            _decode_in_its_precision(self.model.get_visual_generator().get_vae())
        self.tokenizer = self.model.get_text_tokenizer()
        # Its scripts are named test_*.py; each makes one kind of image.
        self.generate, self.edit = (
            importlib.import_module(name) for name in ("test_txt_to_img", "test_img_edit")
        )
        self.info = {
            "name": options.get("title", "ovis-u1"),
            "parameters": tools.parameters(self.model),
            "precision": "bfloat16",
            "capabilities": ["text", "image", "edit"],
        }

    def _text(self, request):
        """As test_img_to_txt.py and test_multi_img_to_txt.py ask; without an image, text alone."""
        output = request["output"]
        turns, images = self._conversation(request)
        _, ids, pixels, grids = self.model.preprocess_inputs(
            turns, images, generation_preface=request["prefill"], return_labels=False,
            propagate_exception=True, fix_sample_overall_length_navit=False,
            multimodal_type="multiple_image" if len(images) > 1 else "single_image",
        )  # fmt: skip
        mask = torch.ne(ids, self.tokenizer.pad_token_id)
        with tools.seeded(request["seed"]):
            made = self.model.generate(
                ids[None].to(self.device),
                attention_mask=mask[None].to(self.device),
                pixel_values=None if pixels is None else pixels.to(self.device, torch.bfloat16),
                grid_thws=[None] if grids is None else grids.to(self.device),
                eos_token_id=self.tokenizer.eos_token_id,
                pad_token_id=self.tokenizer.pad_token_id,
                use_cache=True,
                **tools.sampling(output),
            )[0]
        text = self.tokenizer.decode(made, skip_special_tokens=True)
        return tools.text_answer(text, len(made), output)

    def _conversation(self, request):
        """Turns in the code's form: one image stands before its text, several are numbered."""
        turns, images = [], []
        for role, parts in tools.turns(request):
            said, found = tools.said(parts)
            said = said.replace("<image>", "")
            if len(found) == 1:
                said = "<image>\n" + said
            elif found:
                said = "\n".join("Image %d: <image>" % (n + 1) for n in range(len(found))) + "\n" + said
            images += found
            turns.append({"from": {"user": "human", "assistant": "gpt"}.get(role, role), "value": said})
        return turns, images

    def _images(self, request):
        text, images = tools.text_and_images(request)
        output, number = request["output"], tools.number
        tools.require(len(images) < 2, "Ovis-U1's code edits one image.")
        settings = {
            "steps": tools.steps(output, self.options, 50),
            "guidance_scale": tools.guidance(output, self.options, 6.0 if images else 5.0),
        }
        if images:
            settings["image_guidance_scale"] = number(self.options, "image_guidance_scale", 1.5)
            image = images[0]
            if output.get("width") and output.get("height"):
                image = image.resize((output["width"], output["height"]))
        else:
            width, height = tools.size(output, self.options, 1024, 16, "Ovis-U1")
        text = text.replace("<image>", "")
        common = tuple(settings.values())

        def generated(seed):
            if images:
                return self.edit.pipe_img_edit(self.model, image, text, *common, seed=seed % 2**63)[0]
            return self.generate.pipe_t2i(self.model, text, height, width, *common, seed=seed % 2**63)[0]

        return {"images": tools.several(generated, request), "details": settings}


def _decode_in_its_precision(vae):
    """On a CPU there is no autocast to float32, by which the code decodes: bfloat16 throughout."""
    decode = vae.decode
    vae.decode = lambda latents, **more: decode(latents.to(vae.dtype), **more)


def load(options):
    return OvisU1(options)
