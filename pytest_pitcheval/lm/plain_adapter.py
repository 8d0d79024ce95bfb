"""A DSPy adapter for small LMs, which DSPy's own chat format, with its field markers, is beyond.

The instructions are the system message, the inputs the user message. One `str` output is the whole answer;
any other outputs come as a JSON object, to which the LM is held by constrained decoding (`response_format`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import dspy
import json_repair
import pydantic
from dspy.utils.exceptions import AdapterParseError
from pydantic_core import to_jsonable_python

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dspy.clients.base_lm import BaseLM
    from pydantic.fields import FieldInfo

    Signature = type[dspy.Signature]
    Values = Mapping[str, Any]
    Message = dict[str, Any]


CHARACTERS_PER_TOKEN = 3
"""Of English a token has about four; the rest is left to what else is in an answer."""
BOUNDS = {"maxLength", "enum", "const", "pattern", "format"}
"""Words of JSON schema that say how long a text may be."""


class PlainAdapter(dspy.Adapter):
    """Instructions, inputs and answers in plain words; constrained JSON where the outputs need it.

    It uses no native features of the LM (tools, citations, reasoning). Demos, and the turns of a
    `dspy.History`, become user and assistant messages that show the fields they have; a demo without any input,
    or without any output, is left out.
    """

    def __init__(self, callbacks: list[Any] | None = None) -> None:
        super().__init__(callbacks=callbacks, use_native_function_calling=False)
        # The argument of the base class takes an empty list for "the default ones".
        self.native_response_types: list[type[Any]] = []

    def __call__(
        self,
        lm: BaseLM,
        lm_kwargs: dict[str, Any],
        signature: Signature,
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        lm_kwargs = constrained(lm_kwargs, signature, max_tokens(lm, lm_kwargs))
        answers: list[dict[str, Any]] = super().__call__(lm, lm_kwargs, signature, demos, inputs)
        return answers

    async def acall(
        self,
        lm: BaseLM,
        lm_kwargs: dict[str, Any],
        signature: Signature,
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        lm_kwargs = constrained(lm_kwargs, signature, max_tokens(lm, lm_kwargs))
        answers: list[dict[str, Any]] = await super().acall(lm, lm_kwargs, signature, demos, inputs)
        return answers

    def format(self, signature: Signature, demos: list[dict[str, Any]], inputs: dict[str, Any]) -> list[dict[str, Any]]:
        system = system_text(signature)
        messages = [{"role": "system", "content": system}] if system else []
        for demo in demos:
            turn = list(turn_messages(signature, demo))
            if len(turn) == 2:
                messages += turn
        for past in history_turns(signature, inputs):
            messages += turn_messages(signature, past)
        return [*messages, {"role": "user", "content": user_text(signature, inputs)}]

    def format_user_message_content(
        self,
        signature: Signature,
        inputs: dict[str, Any],
        prefix: str = "",
        suffix: str = "",
        main_request: bool = False,
    ) -> str:
        """The inputs as text: DSPy's agents make so of the steps that they have taken an input of the next one."""
        return "\n".join(part for part in (prefix, user_text(signature, inputs), suffix) if part)

    def parse(self, signature: Signature, completion: str) -> dict[str, Any]:
        """The output fields by name; AdapterParseError where one is missing or not of its type and bounds."""
        if answers_in_text(signature):
            return dict.fromkeys(signature.output_fields, completion.strip())
        data = json_repair.loads(completion)
        if not isinstance(data, dict):
            raise self.parse_error(signature, completion, "The answer is not a JSON object.")
        asked_for = {name: value for name, value in data.items() if name in signature.output_fields}
        try:
            answer = answer_model(signature).model_validate(asked_for)
        except pydantic.ValidationError as error:
            raise self.parse_error(signature, completion, describe(error)) from error
        return {name: getattr(answer, name) for name in signature.output_fields}

    def parse_error(self, signature: Signature, completion: str, message: str) -> AdapterParseError:
        return AdapterParseError(type(self).__name__, signature, completion, message)


def answers_in_text(signature: Signature) -> bool:
    """Whether the answer needs no JSON: there is one output field, and it is a `str`."""
    return [field.annotation for field in signature.output_fields.values()] == [str]


def max_tokens(lm: BaseLM, lm_kwargs: Mapping[str, Any]) -> int | None:
    """The most tokens that the answer to this call may have; None where nobody has said."""
    tokens: int | None = lm_kwargs.get("max_tokens") or lm.kwargs.get("max_tokens")
    return tokens


def constrained(lm_kwargs: dict[str, Any], signature: Signature, tokens: int | None = None) -> dict[str, Any]:
    """`lm_kwargs` with the schema of a JSON answer, if it is one; the caller's `response_format` wins.

    A small LM falls into loops. Its texts end before `tokens` cut the answer off, which would be no JSON then.
    """
    if answers_in_text(signature):
        return lm_kwargs
    schema = answer_model(signature).model_json_schema()
    if tokens:
        bound_texts(schema["properties"].values(), tokens * CHARACTERS_PER_TOKEN)
    answer = {"name": "answer", "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": answer}, **lm_kwargs}


def bound_texts(fields: Iterable[dict[str, Any]], characters: int) -> None:
    """Share `characters` out among the outputs that are texts of any length."""
    endless = [field for field in fields if field.get("type") == "string" and not BOUNDS & field.keys()]
    for field in endless:
        field["maxLength"] = max(1, characters // len(endless))


def answer_model(signature: Signature) -> type[pydantic.BaseModel]:
    fields: dict[str, Any] = {
        name: (annotated(field), ... if field.is_required() else field.get_default(call_default_factory=True))
        for name, field in signature.output_fields.items()
    }
    return pydantic.create_model("Answer", __config__=pydantic.ConfigDict(extra="forbid"), **fields)


def annotated(field: FieldInfo) -> Any:
    """The type of a field with its bounds, which pydantic keeps apart from it."""
    annotation: Any = field.annotation
    for bound in field.metadata:
        annotation = Annotated[annotation, bound]
    return annotation


def describe(error: pydantic.ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))


def system_text(signature: Signature) -> str:
    fields = {**signature.input_fields, **signature.output_fields}
    descriptions = {name: description(name, field) for name, field in fields.items()}
    described = "\n".join(f"{label(name)}: {text}" for name, text in descriptions.items() if text)
    parts = [signature.instructions.strip(), described]
    if not answers_in_text(signature):
        keys = ", ".join(json.dumps(name) for name in signature.output_fields)
        parts.append(f"Answer with a JSON object with the keys {keys}.")
    return "\n\n".join(part for part in parts if part)


def description(name: str, field: FieldInfo) -> str:
    """What the author of the signature wrote about a field; empty for what DSPy fills in itself."""
    extra = field.json_schema_extra
    written = str(extra.get("desc") or "") if isinstance(extra, dict) else ""
    return "" if written == f"${{{name}}}" else written


def history_turns(signature: Signature, inputs: Values) -> list[Values]:
    given = [inputs.get(name) for name, field in signature.input_fields.items() if holds_history(field)]
    return [turn for history in given if history is not None for turn in history.messages]


def holds_history(field: FieldInfo) -> bool:
    return field.annotation is dspy.History


def turn_messages(signature: Signature, values: Values) -> Iterator[Message]:
    """An earlier exchange: what of it there is, the question and the answer."""
    if question := user_text(signature, values):
        yield {"role": "user", "content": question}
    if answer := assistant_text(signature, values):
        yield {"role": "assistant", "content": answer}


def user_text(signature: Signature, values: Values) -> str:
    names = [name for name, field in signature.input_fields.items() if not holds_history(field)]
    given = {name: values[name] for name in names if values.get(name) is not None}
    if len(names) == 1:
        return "".join(readable(value) for value in given.values())
    return "\n".join(labelled(label(name), value) for name, value in given.items())


def assistant_text(signature: Signature, values: Values) -> str:
    given = {name: values[name] for name in signature.output_fields if values.get(name) is not None}
    if answers_in_text(signature):
        return "".join(str(value).strip() for value in given.values())
    return json.dumps(plain(given), ensure_ascii=False) if given else ""


def label(name: str) -> str:
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def labelled(name: str, value: Any) -> str:
    text = readable(value)
    return f"{name}:\n{text}" if "\n" in text else f"{name}: {text}"


def readable(value: Any) -> str:
    """Text for a reader, not for a parser: a mapping a line per key, a list of short things on one line."""
    data = plain(value)
    if isinstance(data, dict):
        return "\n".join(labelled(label(str(key)), item) for key, item in data.items())
    if isinstance(data, list):
        return readable_list([readable(item) for item in data])
    if isinstance(data, bool) or data is None:
        return {True: "yes", False: "no", None: "none"}[data]
    return str(data)


def readable_list(items: list[str]) -> str:
    if any("\n" in item or "," in item for item in items):
        return "\n".join("- " + item.replace("\n", "\n  ") for item in items)
    return ", ".join(items)


def plain(value: Any) -> Any:
    """What JSON can hold; a string for anything pydantic cannot turn into that."""
    return to_jsonable_python(value, fallback=str)
