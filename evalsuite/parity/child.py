# The other side of `evalsuite parity`: run by the interpreter of an official package, which need not have
# evalsuite. Standard library and that package only, Python 3.8 or newer. One job as JSON on standard input,
# one answer as JSON on standard output; what packages print goes to standard error.
import importlib
import json
import os
import sys
import traceback


def own_pipes():
    """Standard output for the answer alone, whatever packages print."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return answer


def import_torchvision():
    """Imports torchvision; a build for CUDA beside a torch without it lacks two operators, which no metric
    here calls: they are declared, so that its Python half can be imported."""
    import torch

    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        KEPT.append(library)
        import torchvision  # noqa: F401


def with_torchvision():
    """For packages that import torchvision where it is installed, and work without it."""
    if version_of("torchvision"):
        import_torchvision()


KEPT = []
"""What must live as long as the process."""


class Answers:
    """Values by metric; one that fails does not lose the others."""

    def __init__(self):
        self.values = []

    def add(self, mode, **metrics):
        for name, value in metrics.items():
            self.values.append({"metric": name.replace("_", " "), "mode": mode, "value": plain(value)})

    def attempt(self, mode, names, function):
        try:
            found = function()
        except Exception as error:
            traceback.print_exc()
            text = "%s: %s" % (type(error).__name__, error)
            self.values += [{"metric": name, "mode": mode, "error": text} for name in names]
            return
        for name in names:
            self.values.append({"metric": name, "mode": mode, "value": plain(found[name])})


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return float(value)


def files_of(folder):
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]


def batches(folder, size=16):
    """uint8 tensors (B, 3, height, width); images of other sizes than their neighbours alone."""
    import numpy as np
    import torch
    from PIL import Image

    waiting = []
    for path in files_of(folder):
        with Image.open(path) as image:
            array = np.array(image.convert("RGB"))
        if waiting and (len(waiting) == size or waiting[0].shape != array.shape):
            yield torch.from_numpy(np.stack(waiting).transpose(0, 3, 1, 2).copy())
            waiting = []
        waiting.append(array)
    if waiting:
        yield torch.from_numpy(np.stack(waiting).transpose(0, 3, 1, 2).copy())


def one_size(*folders):
    from PIL import Image

    sizes = set()
    for folder in folders:
        for path in files_of(folder):
            with Image.open(path) as image:
                sizes.add(image.size)
    return len(sizes) == 1


def clean_fid(job, answers):
    import_torchvision()
    import numpy as np
    import torch
    from cleanfid import features, fid

    device = torch.device(job["device"])
    sides = (job["generated"], job["reference"])
    if job["scripted"]:
        from cleanfid.inception_torchscript import InceptionV3W

        def scripted(inside):
            return InceptionV3W(job["scripts"], download=False, resize_inside=inside).to(device).eval()

        modes = {"clean": scripted(False), "legacy_tensorflow": scripted(True)}
    else:
        from cleanfid.inception_pytorch import InceptionV3

        network = InceptionV3(output_blocks=[3], resize_input=False, normalize_input=False).to(device).eval()
        modes = {
            # The scaling of the TorchScript file that this mode uses otherwise.
            "clean": lambda x: network((x - 128) / 128)[0].squeeze(-1).squeeze(-1),
            "legacy_pytorch": features.build_feature_extractor("legacy_pytorch", device, False),
        }

    for mode, model in modes.items():
        kept = {}

        def measured(mode=mode, model=model, kept=kept):
            first, second = (
                fid.get_folder_features(
                    side, model, num_workers=0, batch_size=8, device=device, mode=mode, verbose=False
                )
                for side in sides
            )
            kept["features"] = first, second
            return {"FID": fid.fid_from_feats(first, second)}

        answers.attempt(mode, ["FID"], measured)
        if "features" in kept:

            def kernel(kept=kept):
                np.random.seed(0)
                value = fid.kernel_distance(
                    *kept["features"], num_subsets=job["subsets"], max_subset_size=job["subset_size"]
                )
                return {"KID": value}

            answers.attempt(mode, ["KID"], kernel)


def torch_fidelity(job, answers):
    import_torchvision()
    import torch_fidelity

    isc = "Inception Score", "Inception Score deviation"
    names = ["FID", "KID", "KID deviation", "precision", "recall"]
    names += list(isc) if job["splits"] else []

    def measured():
        found = torch_fidelity.calculate_metrics(
            input1=job["generated"], input2=job["reference"], fid=True, kid=True, prc=True,
            isc=bool(job["splits"]), isc_splits=job["splits"] or 10, kid_subsets=job["subsets"],
            kid_subset_size=job["subset_size"], feature_extractor_weights_path=job["weights"],
            # precision and recall are of VGG by default there
            feature_extractor="inception-v3-compat", feature_layer_fid=job["dims"],
            feature_layer_kid=job["dims"], feature_layer_prc=job["dims"],
            cuda=job["device"].startswith("cuda"), cache=False, save_cpu_ram=True, verbose=False,
            batch_size=16 if one_size(job["generated"], job["reference"]) else 1,
        )  # fmt: skip
        values = {
            "FID": found["frechet_inception_distance"],
            "KID": found["kernel_inception_distance_mean"],
            "KID deviation": found["kernel_inception_distance_std"],
            "precision": found["precision"],
            "recall": found["recall"],
        }
        if job["splits"]:
            values[isc[0]] = found["inception_score_mean"]
            values[isc[1]] = found["inception_score_std"]
        return values

    answers.attempt("", names, measured)


def pytorch_fid(job, answers):
    import_torchvision()
    from pytorch_fid import fid_score

    def measured():
        value = fid_score.calculate_fid_given_paths(
            [job["generated"], job["reference"]],
            16 if one_size(job["generated"], job["reference"]) else 1,
            job["device"],
            int(job["dims"]),
            num_workers=0,
        )
        return {"FID": value}

    answers.attempt("", ["FID"], measured)


def torchmetrics_images(job, answers):
    import_torchvision()
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    def frechet():
        metric = FrechetInceptionDistance(
            feature=int(job["dims"]), feature_extractor_weights_path=job["weights"]
        )
        return {"FID": filled(metric, job).compute()}

    def kernel():
        # One subset of all images: the only one of its draws that does not depend on torch's generator.
        # Weights come from torch hub's cache, where the job has put them: it takes no path.
        metric = KernelInceptionDistance(feature=int(job["dims"]), subsets=1, subset_size=job["count"])
        return {"KID": filled(metric, job).compute()[0]}

    answers.attempt("", ["FID"], frechet)
    if job["equal_counts"]:
        answers.attempt("", ["KID"], kernel)


def filled(metric, job):
    metric = metric.to(job["device"])
    for folder, real in ((job["reference"], True), (job["generated"], False)):
        for batch in batches(folder):
            metric.update(batch.to(job["device"]), real=real)
    return metric


def torchmetrics_pairs(job, answers):
    with_torchvision()
    import numpy as np
    import torch
    from PIL import Image
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    def loaded(path):
        with Image.open(path) as image:
            array = np.array(image.convert("RGB"))
        return torch.from_numpy(array.transpose(2, 0, 1)[None].copy()).float() / 255

    def measured():
        found = {"PSNR": [], "SSIM": [], "MSE": []}
        for first, second in zip(files_of(job["generated"]), files_of(job["reference"])):
            a, b = loaded(first), loaded(second)
            found["PSNR"].append(peak_signal_noise_ratio(a, b, data_range=1.0))
            found["SSIM"].append(structural_similarity_index_measure(a, b, data_range=1.0))
            found["MSE"].append(((a - b) ** 2).mean())
        return found

    answers.attempt("", ["PSNR", "SSIM", "MSE"], measured)


def torchmetrics_yes_no(job, answers):
    with_torchvision()
    import torch
    from torchmetrics.functional import classification

    said, truth = torch.tensor(job["said"]), torch.tensor(job["truth"])

    def measured():
        return {
            "accuracy": classification.binary_accuracy(said, truth),
            "precision": classification.binary_precision(said, truth),
            "recall": classification.binary_recall(said, truth),
            "F1": classification.binary_f1_score(said, truth),
        }

    answers.attempt("", ["accuracy", "precision", "recall", "F1"], measured)


def pycocoevalcap(job, answers):
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    tokenizer = PTBTokenizer()
    references = tokenizer.tokenize(
        {i: [{"caption": text} for text in texts] for i, texts in enumerate(job["references"])}
    )
    predictions = tokenizer.tokenize({i: [{"caption": text}] for i, text in enumerate(job["predictions"])})

    def bleu():
        from pycocoevalcap.bleu.bleu import Bleu

        corpus, images = Bleu(4).compute_score(references, predictions, verbose=0)
        found = {"Bleu_%d" % (i + 1): value for i, value in enumerate(corpus)}
        found.update({"Bleu_%d per image" % (i + 1): values for i, values in enumerate(images)})
        return found

    def scored(name, module, scorer):
        def measured():
            made = getattr(importlib.import_module("pycocoevalcap." + module), scorer)()
            corpus, images = made.compute_score(references, predictions)
            return {name: corpus, name + " per image": list(images)}

        return [name, name + " per image"], measured

    orders = ["Bleu_%d" % n for n in (1, 2, 3, 4)]
    answers.attempt("", orders + [name + " per image" for name in orders], bleu)
    answers.attempt("", *scored("ROUGE_L", "rouge.rouge", "Rouge"))
    answers.attempt("", *scored("CIDEr", "cider.cider", "Cider"))
    if job["meteor"]:
        answers.attempt("", *scored("METEOR", "meteor.meteor", "Meteor"))


def lm_eval(job, answers):
    with_torchvision()
    import lm_eval

    config = {
        "task": "evalsuite_parity", "dataset_path": "json", "test_split": "test",
        "dataset_kwargs": {"data_files": {"test": job["questions"]}}, "output_type": "multiple_choice",
        "doc_to_text": "context", "doc_to_choice": "choices", "doc_to_target": "answer",
        "target_delimiter": " ",
        "metric_list": [{"metric": name, "aggregation": "mean", "higher_is_better": True}
                        for name in ("acc", "acc_norm")],
    }  # fmt: skip

    def measured():
        found = lm_eval.simple_evaluate(
            model="hf",
            model_args={"pretrained": job["model"], "dtype": "float32"},
            tasks=[config],
            device=job["device"],
            batch_size=8,
            bootstrap_iters=0,
        )
        values = found["results"]["evalsuite_parity"]
        samples = sorted(found["samples"]["evalsuite_parity"], key=lambda sample: sample["doc_id"])
        sums = [float(choice[0]) for sample in samples for choice in sample["filtered_resps"]]
        return {
            "acc": values["acc,none"],
            "acc_norm": values["acc_norm,none"],
            "log-likelihood per choice": sums,
        }

    answers.attempt("", ["acc", "acc_norm", "log-likelihood per choice"], measured)


JOBS = {
    "clean-fid": clean_fid,
    "torch-fidelity": torch_fidelity,
    "pytorch-fid": pytorch_fid,
    "torchmetrics": torchmetrics_images,
    "torchmetrics pairs": torchmetrics_pairs,
    "torchmetrics yes-no": torchmetrics_yes_no,
    "pycocoevalcap": pycocoevalcap,
    "lm-eval": lm_eval,
}


def version_of(distribution):
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def main():
    answer = own_pipes()
    job = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    found = {"python": sys.version.split()[0], "version": version_of(job["distribution"]), "values": []}
    if job.get("kind") and found["version"]:
        answers = Answers()
        try:
            JOBS[job["kind"]](job, answers)
        except Exception as error:
            traceback.print_exc()
            found["error"] = "%s: %s" % (type(error).__name__, error)
        found["values"] = answers.values
    json.dump(found, answer)
    answer.flush()


if __name__ == "__main__":
    main()
