"""Tiny folders of encoder families of transformers, with random weights and a tokenizer of a few words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

WORDS = ["river", "stone", "cloud", "lamp", "chair", "green", "seven", "walks", "north", "paper", "quiet", "spoon"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
POSITIONS = 80
BERT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": POSITIONS,
    "pad_token_id": 0,
}
ENDS = {"bos_token_id": 2, "eos_token_id": 3}
FAMILIES: dict[str, dict[str, Any]] = {
    "albert": BERT | {"embedding_size": 16},
    "bert": BERT,
    "big_bird": BERT | {"attention_type": "original_full", "block_size": 8},
    "deberta-v2": BERT | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 16},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "max_position_embeddings": POSITIONS},
    "electra": BERT | {"embedding_size": 16},
    "fnet": {key: value for key, value in BERT.items() if key != "num_attention_heads"},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": POSITIONS, **ENDS},
    "longformer": BERT | {"attention_window": [8, 8], "sep_token_id": 3, **ENDS},
    "modernbert": BERT | {"num_hidden_layers": 3, "local_attention": 16, "cls_token_id": 2, "sep_token_id": 3, **ENDS},
    "mpnet": BERT,
    "qwen2": BERT | {"num_key_value_heads": 1, **ENDS},
    "roberta": BERT,
    "xlm-roberta": BERT,
}
"""Values of the configs by model type."""
DECODERS = ("gpt2", "qwen2")
"""Families that read the last token, and add no special ones."""


def write_family(folder: Path, family: str) -> Path:
    """Write config, weights and tokenizer of one family, and return the folder."""
    size = _write_tokenizer(folder, special=family not in DECODERS)
    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.for_model(family, vocab_size=size, **FAMILIES[family])).save_pretrained(folder)
    return folder


def _write_tokenizer(folder: Path, *, special: bool) -> int:
    pieces = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    pieces.pre_tokenizer = pre_tokenizers.Whitespace()
    pieces.train_from_iterator(WORDS * 3, trainers.WordPieceTrainer(vocab_size=120, special_tokens=SPECIAL))
    if special:
        pieces.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=pieces, **names).save_pretrained(folder)
    return pieces.get_vocab_size()
