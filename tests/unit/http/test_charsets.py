"""How bytes become text, whatever a server calls their character set."""

import codecs
import encodings.aliases
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.http import charsets
from coinrequest.http.charsets import decode_text, named_charset

NO_CHARSETS = [
    "undefined",
    "idna",
    "punycode",
    "base64",
    "hex",
    "rot13",
    "rot_13",
    "zip",
    "zlib",
    "bz2",
    "uu",
    "quopri",
    "unicode_escape",
    "unicode-escape",
    "raw_unicode_escape",
    "string_escape",
    "charmap",
    "mbcs",
    "oem",
    "utf-7",
    "x-no-such-set",
    "none",
    "binary",
    "\x00",
    "utf-8é",
    "x" * 10_000,
]


@pytest.mark.parametrize("name", ["", *NO_CHARSETS])
def test_utf_8_takes_the_place_of_what_is_no_charset(name: str) -> None:
    assert decode_text("grün".encode(), name) == charsets.DecodedText("grün", "utf-8", exact=True)
    assert decode_text(b"gr\xfcn", name) == charsets.DecodedText("gr\N{REPLACEMENT CHARACTER}n", "utf-8", exact=False)


@pytest.mark.parametrize(
    ("name", "data", "text", "charset"),
    [
        ("UTF8", "é", "é", "utf-8"),
        ("utf_8", "é", "é", "utf-8"),
        ("utf-8\x00", "é", "é", "utf-8"),
        ("unicode-1-1-utf-8", "é", "é", "utf-8"),
        ("utf-8-sig", "\ufeffé", "é", "utf-8"),
        ("iso-8859-1", b"\x80\xe9\x81", "€é\x81", "windows-1252"),
        ("LATIN1", b"\xe9", "é", "windows-1252"),
        ("us-ascii", b"\xe9", "é", "windows-1252"),
        ("x-cp1252", b"\x93", "\N{LEFT DOUBLE QUOTATION MARK}", "windows-1252"),
        ("windows-1251", b"\xe4\xe0", "да", "windows-1251"),
        ("x-user-defined", b"a\x80\xff", "a\uf780\uf7ff", "x-user-defined"),
        ("iso-8859-9", b"\x80", "€", "windows-1254"),
        ("tis-620", b"\xa1", "ก", "cp874"),
        ("gb2312", b"\xd6\xd0", "中", "gb18030"),
        ("x-gbk", b"\xb0\xa1", "啊", "gb18030"),
        ("x-sjis", b"\x87\x40", "①", "cp932"),
        ("ks_c_5601-1987", b"\x81\x41", "갂", "cp949"),
        ("x-x-big5", b"\xa4\xa4", "中", "big5hkscs"),
        ("koi8-u", b"\xc4\xc1", "да", "koi8-u"),
        ("ibm866", b"\xa4\xa0", "да", "cp866"),
        ("x-mac-roman", b"\x8e", "é", "mac-roman"),
        ("ebcdic-cp-us", b"\xc1", "A", "cp037"),
        ("utf-16", b"{\0}\0", "{}", "utf-16-le"),
        ("utf-16", b"\0{\0}", "{}", "utf-16-be"),
        ("utf-16be", b"\0{\0}", "{}", "utf-16-be"),
        ("ucs-2", codecs.BOM_UTF16_BE + b"\0{", "{", "utf-16-be"),
        ("utf-32", b"\0\0\0{", "{", "utf-32-be"),
    ],
)
def test_labels_mean_what_browsers_take_them_for(name: str, data: str | bytes, text: str, charset: str) -> None:
    found = decode_text(data.encode() if isinstance(data, str) else data, name)
    assert (found.text, found.charset) == (text, charset)


@pytest.mark.parametrize("name", ["", "latin1", "undefined", "utf-8", "utf-16le"])
@pytest.mark.parametrize(
    ("mark", "codec"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_decides(name: str, mark: bytes, codec: str) -> None:
    assert decode_text(mark + "é€𝄞".encode(codec), name) == charsets.DecodedText("é€𝄞", codec, exact=True)


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-32-be", "shift_jis", "gb18030", "big5", "euc-kr"])
def test_part_of_a_character_at_a_cut_is_dropped(codec: str) -> None:
    data = "中中".encode(codec)
    found = decode_text(data[:-1], codec, cut=True)
    assert (found.text, found.exact) == ("中", True)
    assert decode_text(data[:-1], codec).text.startswith("中\N{REPLACEMENT CHARACTER}")
    assert not decode_text(b"\xff\xff\xff\xff\xff" + data[:-1], "utf-8", cut=True).exact


@pytest.mark.parametrize(
    ("content_type", "name"),
    [
        ("", ""),
        ("text/html", ""),
        ("text/html; charset=utf-8", "utf-8"),
        ("text/html;charset='utf-8'", "utf-8"),
        ('text/html; CharSet = "iso-8859-1" ; x=1', "iso-8859-1"),
        ('text/html; charset="a b"', "a"),
        ("text/html; charset=", ""),
        ("text/html; charset=;x=1", ""),
        ("text/html; xcharset=a", ""),
        ("text/html; charset=a, text/html; charset=b", "a"),
        ("charset=" * 20_000, "charset=" * 12 + "char"),
    ],
)
def test_the_charset_is_found_in_the_header(content_type: str, name: str) -> None:
    assert named_charset(content_type) == name


@given(st.binary(max_size=200), st.sampled_from([*charsets._CODECS, *encodings.aliases.aliases, *NO_CHARSETS]))
def test_any_bytes_become_text_that_can_be_stored(data: bytes, name: str) -> None:
    found = decode_text(data, name)
    found.text.encode()  # no half of a surrogate pair
    if not found.exact:
        assert "\N{REPLACEMENT CHARACTER}" in found.text


@pytest.mark.parametrize("data", [b"\xff" * 2**20, b"~{" * 2**19, b"\x1b$B" * 2**18, b"+AAA" * 2**18])
@pytest.mark.parametrize("name", ["utf-7", "hz-gb-2312", "iso-2022-jp", "windows-1252", "gb18030", "utf-8"])
def test_a_megabyte_is_decoded_in_no_time(name: str, data: bytes) -> None:
    started = time.process_time()
    decode_text(data, name)
    assert time.process_time() - started < 2


def test_the_codecs_of_the_table_are_character_sets() -> None:
    for codec in charsets._LABELS:
        if codec != "x-user-defined":
            assert codecs.lookup(codec)._is_text_encoding
