#!/usr/bin/env bash
set -euo pipefail
# Behaviour: sacrebleu's corpus_bleu of texts that equal their references is 0 where they have fewer than four words, and with four words 100; its sentence_bleu of the same two-word text is 100.
# Expected: BLEU of a corpus that equals its references is 100, as of each of its sentences.
# Source: sacrebleu's corpus_bleu (effective_order is for sentences only): no 4-gram exists, and a precision of 0 of 0 makes the geometric mean 0
# Here: workers/overnight_workers/catalogs/compare/agreement.py: titles and tags are short, and agreement is counted by word (F1)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sacrebleu==2.6.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import sacrebleu

print(f"sacrebleu {version('sacrebleu')}")
short, long = ["red kettle", "blue cup"], ["a red steel kettle", "a small blue cup"]
corpus = sacrebleu.corpus_bleu(short, [short]).score, sacrebleu.corpus_bleu(long, [long]).score
sentence = sacrebleu.sentence_bleu(short[0], [short[0]]).score
tokens = sacrebleu.corpus_bleu(["红色的水壶很漂亮"], [["红色的水壶很漂亮"]]).score
print(f"equal titles of two words: corpus {corpus[0]:.0f}, a sentence of them {sentence:.0f}; of four words: corpus {corpus[1]:.0f}")
print(f"an equal Chinese text, tokenizer as shipped: {tokens:.0f}")
print("So a run whose every title is right scores 0.")
sys.exit(0 if [round(value) for value in (*corpus, sentence, tokens)] == [0, 100, 100, 0] else 1)
PYTHON
