"""Command rows of the RESP words in `compat/words.py`, each carried out as the row that the word stands for."""

from synap.command import Command
from synap.commands import queues, rooms, strings
from synap.compat.words import WORDS, Word
from synap.traits import GROWS, OTHER_NAME, SESSION, WRITES

_ROWS = {row.name: row for row in (*queues.ROWS, *rooms.ROWS, *strings.ROWS)}


def _row(word: Word) -> Command:
    row = _ROWS[word.row]
    return Command(
        f"compat.{word.word.lower()}", word.code, word.doc, args=word.args, resp=word.word,
        reply=word.reply or row.reply, handler=f"compat_{word.word.lower()}",
        traits=SESSION | OTHER_NAME | row.traits & (WRITES | GROWS),
        examples=word.examples, calls_families=(row.code >> 8,),
    )  # fmt: skip


ROWS = [_row(word) for word in WORDS]
