# Janus and Janus-Pro through the official code (github.com/deepseek-ai/Janus, package janus): answers
# questions about images, generates images as 576 discrete tokens by autoregression with guidance.
import adapter_tools as tools
import torch


class Janus(tools.OneByOne):
    def __init__(self, options):
        tools.repository(options)
        from janus.models import MultiModalityCausalLM, VLChatProcessor

        self.options = options
        self.device, self.dtype = tools.device_and_dtype(options)
        self.processor = VLChatProcessor.from_pretrained(options["argument"])
        self.tokenizer = self.processor.tokenizer
        model = MultiModalityCausalLM.from_pretrained(options["argument"], torch_dtype=self.dtype)
        self.model = model.to(self.device).eval()
        self.info = {
            "name": options.get("title", "janus-pro"),
            "parameters": tools.parameters(self.model),
            "capabilities": ["text", "image"],
        }

    def _conversation(self, request):
        """The repository's form: each image is a placeholder and a line feed before the turn's text."""
        turns, images = [], []
        for role, parts in tools.turns(request):
            if role == "system":
                self.processor.system_prompt = "".join(parts)
                continue
            text, found = tools.said(parts)
            content = "<image_placeholder>\n" * len(found) + text
            turns.append({"role": "User" if role == "user" else "Assistant", "content": content})
            images += found
        turns.append({"role": "Assistant", "content": request["prefill"]})
        return turns, images

    def _text(self, request):
        turns, images = self._conversation(request)
        output = request["output"]
        with tools.seeded(request["seed"]):
            if images:
                inputs = self.processor(conversations=turns, images=images, force_batchify=True)
                inputs = inputs.to(self.device, dtype=self.dtype)
                embeds, mask = self.model.prepare_inputs_embeds(**inputs), inputs.attention_mask
            else:  # the repository's processor cannot do without an image
                prompt = self._prompt(turns, self.processor.system_prompt)
                ids = torch.tensor([self.tokenizer.encode(prompt)], device=self.device)
                embeds, mask = self.model.language_model.get_input_embeddings()(ids), torch.ones_like(ids)
            ids = self.model.language_model.generate(
                inputs_embeds=embeds,
                attention_mask=mask,
                pad_token_id=self.tokenizer.eos_token_id,
                bos_token_id=self.tokenizer.bos_token_id,
                eos_token_id=self.tokenizer.eos_token_id,
                use_cache=True,
                **tools.sampling(output),
            )[0]
        return tools.text_answer(self.tokenizer.decode(ids, skip_special_tokens=True), len(ids), output)

    def _prompt(self, turns, system):
        return self.processor.apply_sft_template_for_multi_turn_prompts(
            conversations=turns, sft_format=self.processor.sft_format, system_prompt=system
        )

    def _images(self, request):
        text, output = tools.text_alone(request, "Janus"), request["output"]
        width, height = tools.size(output, self.options, 384, 16, "Janus")
        tools.require(width == height, "Janus generates squares.")
        turns = [{"role": "User", "content": text}, {"role": "Assistant", "content": ""}]
        prompt = self._prompt(turns, "") + self.processor.image_start_tag
        scale = tools.guidance(output, self.options, 5.0)
        made = tools.several(lambda seed: self._image(prompt, width, scale), request)
        return {"images": made, "details": {"guidance_scale": scale, "image_size": width}}

    def _image(self, prompt, side, scale):
        """One image; as generation_inference.py of the repository does it."""
        ids = torch.tensor(self.tokenizer.encode(prompt), device=self.device)
        pair = ids.repeat(2, 1)
        pair[1, 1:-1] = self.processor.pad_id  # the unconditional row
        embeds = self.model.language_model.get_input_embeddings()(pair)
        temperature = tools.number(self.options, "temperature", 1.0)
        tokens, past = [], None
        for _ in range((side // 16) ** 2):
            out = self.model.language_model.model(inputs_embeds=embeds, use_cache=True, past_key_values=past)
            past = out.past_key_values
            with_text, without = self.model.gen_head(out.last_hidden_state[:, -1]).chunk(2)
            logits = without + scale * (with_text - without)
            token = torch.multinomial(torch.softmax(logits.float() / temperature, -1), 1)
            tokens.append(token[:, 0])
            embeds = self.model.prepare_gen_img_embeds(token.repeat(2, 1))
        shape = [1, 8, side // 16, side // 16]
        codes = torch.stack(tokens, 1).to(torch.int)
        return tools.as_image(self.model.gen_vision_model.decode_code(codes, shape=shape)[0])


def load(options):
    return Janus(options)
