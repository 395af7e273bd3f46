"""Scorers: pure functions and mergeable accumulators, each equal to the official one it is named after.

Nothing here knows a benchmark, reads a run or loads a model; the room imports nothing else of evalsuite than
`content` and `errors`. Import the module you need, the package itself stays empty and light:

* `vqa`: accuracy against ten human answers, under six named rules;
* `choice`: picking the option out of free text, circular evaluation and ability report (MMBench);
* `letters`: short answers to options (ScienceQA, SEED-Bench, MMMU); `anls`: answers read off documents;
* `ptb`, `captions`: the caption tokenizer; BLEU, ROUGE-L, CIDEr-D, METEOR;
* `frechet`: Fréchet distance; `feature_sets`: KID, CMMD, precision and recall; `inception_score`: its score;
* `inception`, `resize`: the feature network of FID and the ways to its input;
* `images`: pixel distances, PSNR/SSIM with masks, cosine and directional similarity, turn pairing (editing);
* `pope`: yes/no answers; `geneval`: composition verdicts from detections;
* `likelihood`: multiple choice from log-likelihoods; `judge`: tables from a judge's grades.
"""
