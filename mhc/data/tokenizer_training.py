"""Training of tokenizers on the train split: WordPiece, as in BERT, or byte-level BPE, as in GPT-2."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from mhc.data.options import Tokenizing
from mhc.errors import BadConfig

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

CHARACTERS_PER_TOKEN = 100
"""Maximum length of a piece; texts are cut at `max_tokens` times this many characters before they are tokenised."""


def vocab_size(options: Tokenizing) -> int:
    """Return the size of the vocabulary.

    Raises:
        BadConfig: if it is missing, or smaller than the special tokens and the letters.
    """
    if options.vocab_size is None or options.vocab_size < 300:
        raise BadConfig(f"model.tokenizer.vocab_size is {options.vocab_size}; {options.kind} needs 300 or more")
    return options.vocab_size


def train(options: Tokenizing, texts: Iterable[str]) -> Tokenizer:
    """Train WordPiece (as in BERT) or byte-level BPE (as in GPT-2) on normalised texts."""
    pieces = word_pieces(options, texts) if options.kind == "wordpiece" else byte_pairs(options, texts)
    borders = [(token, int(pieces.get_vocab()[token])) for token in ("[CLS]", "[SEP]")]
    pieces.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=borders)
    return pieces


def word_pieces(options: Tokenizing, texts: Iterable[str]) -> Tokenizer:
    """Train WordPiece: words are split into pieces, with `##` before a piece that continues a word.

    The library numbers the continuing letters in the order of a hash table, so that two trainings on the same texts
    differ. Therefore they are passed in order as special tokens; they are plain pieces in the returned tokenizer.
    """
    texts = list(texts)
    blank = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=CHARACTERS_PER_TOKEN))
    blank.normalizer = normalizers.BertNormalizer(lowercase=options.lowercase)
    blank.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters = alphabet(texts, blank.normalizer, vocab_size(options) // 4)
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size(options),
        min_frequency=options.min_frequency,
        special_tokens=[*SPECIAL, *(f"##{letter}" for letter in letters)],
        initial_alphabet=letters,
        limit_alphabet=len(letters),
        show_progress=False,
    )
    blank.train_from_iterator(texts, trainer)
    vocabulary = blank.get_vocab()
    pieces = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=CHARACTERS_PER_TOKEN))
    pieces.normalizer, pieces.pre_tokenizer = blank.normalizer, blank.pre_tokenizer
    pieces.decoder = decoders.WordPiece()
    pieces.add_special_tokens(list(SPECIAL))
    return pieces


def alphabet(texts: Sequence[str], normalizer: normalizers.Normalizer, limit: int) -> list[str]:
    """Return the `limit` most frequent normalised letters of the texts, sorted by code point."""
    totals: Counter[str] = Counter()
    for start in range(0, len(texts), 4096):
        codes = np.frombuffer("".join(texts[start : start + 4096]).encode("utf-32-le"), np.uint32)
        distinct, counts = np.unique(codes, return_counts=True)
        for code, count in zip(distinct.tolist(), counts.tolist(), strict=True):
            for letter in normalizer.normalize_str(chr(code)):
                totals[letter] += count
    del totals[" "]
    return sorted(sorted(totals, key=lambda letter: (-totals[letter], letter))[:limit])


def byte_pairs(options: Tokenizing, texts: Iterable[str]) -> Tokenizer:
    """Train byte-level BPE: every byte has an entry, so that no text is unknown."""
    pieces = Tokenizer(models.BPE(unk_token="[UNK]"))
    if options.lowercase:
        pieces.normalizer = normalizers.Lowercase()
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    pieces.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size(options),
        min_frequency=options.min_frequency,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    pieces.train_from_iterator(texts, trainer)
    return pieces


def save(pieces: Tokenizer, options: Tokenizing, folder: Path) -> None:
    """Write the folder that `AutoTokenizer.from_pretrained` reads."""
    from transformers import PreTrainedTokenizerFast

    names = {f"{token[1:-1].lower()}_token": token for token in SPECIAL}
    result = PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        model_max_length=options.max_tokens,
        model_input_names=["input_ids", "attention_mask"],
        **names,
    )
    result.save_pretrained(str(folder))
