"""Training of tokenizers on the train split: WordPiece, as in BERT, or byte-level BPE, as in GPT-2."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from mhc.data import masking
from mhc.data.distinct_texts import DistinctTexts, by_author
from mhc.data.options import Tokenizing
from mhc.errors import BadConfig

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

CHUNK = 8192
"""Texts whose words are in memory at once."""

AT_ONCE = 1 << 16
"""Repetitions of a word that are passed to a trainer at once."""

Authors = npt.NDArray[np.integer] | None
"""[texts]: a number per author, -1 if unknown; None: all are unknown."""

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


def train(options: Tokenizing, texts: Iterable[str], authors: Authors = None, *, mask: bool = False) -> Tokenizer:
    """Train WordPiece (as in BERT) or byte-level BPE (as in GPT-2) on normalised texts.

    Pieces of several characters come only from words that occur in `min_texts` texts. With `mask`, the tokenizer masks
    texts by itself, in any program that loads it, and each mark is one token.
    """
    texts = [without_marks(text) for text in texts] if mask else list(texts)
    size = vocab_size(options) - (len(masking.MARKS) if mask else 0)
    normalizer, splitter = normalizer_of(options), splitter_of(options)
    words = frequent_words(texts, authors, options.min_texts, normalizer, splitter)
    if options.kind == "wordpiece":
        assert normalizer is not None
        pieces = word_pieces(options, words, alphabet(texts, normalizer, vocab_size(options) // 4), size)
    else:
        pieces = byte_pairs(options, words, size)
    pieces.pre_tokenizer = splitter
    if normalizer:
        pieces.normalizer = normalizer
    if mask:
        mask_first(pieces)
        pieces.add_tokens([AddedToken(mark, normalized=True) for mark in masking.MARKS])
    borders = [(token, int(pieces.get_vocab()[token])) for token in ("[CLS]", "[SEP]")]
    pieces.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=borders)
    return pieces


def mask_first(pieces: Tokenizer) -> None:
    """Let a tokenizer mask a text before everything else."""
    steps = [normalizers.Replace(Regex(each.pattern), each.mark) for each in masking.MASKS]
    pieces.normalizer = normalizers.Sequence([*steps, *([pieces.normalizer] if pieces.normalizer else [])])


def without_marks(text: str) -> str:
    """Return a masked text without its marks, which are no words to learn."""
    for mark in masking.MARKS:
        text = text.replace(mark, " ")
    return text


def normalizer_of(options: Tokenizing) -> normalizers.Normalizer | None:
    """Return the step that makes letters alike; None: they stay as they are."""
    if options.kind == "wordpiece":
        return normalizers.BertNormalizer(lowercase=options.lowercase)
    return normalizers.Lowercase() if options.lowercase else None


def splitter_of(options: Tokenizing) -> pre_tokenizers.PreTokenizer:
    """Return the step that splits a text into words."""
    words: pre_tokenizers.PreTokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    if options.kind == "wordpiece":
        words = pre_tokenizers.BertPreTokenizer()
    digits = pre_tokenizers.Digits(individual_digits=True)
    return pre_tokenizers.Sequence([words, digits]) if options.split_digits else words


def frequent_words(
    texts: Sequence[str],
    authors: Authors,
    min_texts: int,
    normalizer: normalizers.Normalizer | None,
    splitter: pre_tokenizers.PreTokenizer,
) -> dict[str, int]:
    """Return how often each word occurs, of the words that occur in at least `min_texts` texts, in a fixed order."""
    level = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    level.pre_tokenizer = splitter
    if normalizer:
        level.normalizer = normalizer
    trainer = trainers.WordLevelTrainer(vocab_size=1 << 31, special_tokens=["[UNK]"], show_progress=False)
    level.train_from_iterator(texts, trainer)
    size = level.get_vocab_size()
    distinct, totals = DistinctTexts(size), np.zeros(size, np.int64)
    order, numbers = by_author(len(texts), authors)
    for start in range(0, len(texts), CHUNK):
        encodings = level.encode_batch_fast([texts[row] for row in order[start : start + CHUNK]])
        lists = [encoding.ids for encoding in encodings]
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        ids = np.fromiter(chain.from_iterable(lists), np.int64, int(lengths.sum()))
        totals += np.bincount(ids, minlength=size)
        distinct.add(ids, np.repeat(numbers[start : start + CHUNK], lengths))
    words = level.get_vocab()
    del words["[UNK]"]
    return {word: int(totals[words[word]]) for word in sorted(words) if distinct.counts[words[word]] >= min_texts}


def repeated(words: Mapping[str, int]) -> Iterator[str]:
    """Yield each word as often as it occurs, one per line: what a trainer counts."""
    for word, count in words.items():
        for start in range(0, count, AT_ONCE):
            yield f"{word}\n" * min(AT_ONCE, count - start)


def lines() -> pre_tokenizers.PreTokenizer:
    """Return the step that splits `repeated` words."""
    return pre_tokenizers.Split("\n", "removed")


def word_pieces(options: Tokenizing, words: Mapping[str, int], letters: Sequence[str], size: int) -> Tokenizer:
    """Train WordPiece: words are split into pieces, with `##` before a piece that continues a word.

    The library numbers the continuing letters in the order of a hash table, so that two trainings on the same texts
    differ. Therefore they are passed in order as special tokens; they are plain pieces in the returned tokenizer.
    """
    blank = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=CHARACTERS_PER_TOKEN))
    blank.pre_tokenizer = lines()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=options.min_frequency,
        special_tokens=[*SPECIAL, *(f"##{letter}" for letter in letters)],
        initial_alphabet=letters,
        limit_alphabet=len(letters),
        show_progress=False,
    )
    blank.train_from_iterator(repeated(words), trainer)
    vocabulary = blank.get_vocab()
    pieces = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=CHARACTERS_PER_TOKEN))
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


def byte_pairs(options: Tokenizing, words: Mapping[str, int], size: int) -> Tokenizer:
    """Train byte-level BPE: every byte has an entry, so that no text is unknown."""
    pieces = Tokenizer(models.BPE(unk_token="[UNK]"))
    pieces.pre_tokenizer = lines()
    pieces.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=options.min_frequency,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    pieces.train_from_iterator(repeated(words), trainer)
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


def masked(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """Return a pretrained tokenizer that masks a text first.

    It is of a general class: classes of single models, such as `BertTokenizer`, build their steps again when they
    are loaded, and would lose this one.
    """
    from transformers import PreTrainedTokenizerFast

    pieces = tokenizer.backend_tokenizer
    mask_first(pieces)
    names = [f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")]
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        model_max_length=tokenizer.model_max_length,
        model_input_names=tokenizer.model_input_names,
        padding_side=tokenizer.padding_side,
        **{name: token for name in names if (token := getattr(tokenizer, name)) is not None},
    )
