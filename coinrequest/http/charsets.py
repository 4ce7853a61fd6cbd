"""Bytes of a response as text.

A server names a character set in `Content-Type`. Python's registry of codecs is no list of character sets: it also has
`base64`, `idna` or `undefined`, some of which raise an error whatever they are asked to do. So names are looked up in
the tables below. They follow the Encoding Standard (https://encoding.spec.whatwg.org/#names-and-labels), which says
what browsers take a name for, and add the other character sets that Python knows.
"""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass

# Linear, because no part can match in two ways.
_CHARSET = re.compile(r"(?:^|[;,\s])charset\s{0,10}=\s{0,10}[\"']?\s{0,10}([^\s\"';,]{1,100})", re.IGNORECASE)
_FREE = frozenset({0x81, 0x8D, 0x8F, 0x90, 0x9D})
_PUNCTUATION = re.compile(r"[^a-z0-9]")

# The longest first: the mark of UTF-32 starts with that of UTF-16.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# Python's codecs, each with the labels that it or the standard has for it, in lower case and without punctuation.
_LABELS: Mapping[str, str] = {
    "utf-8": "utf8 u8 utf utf8sig unicode11utf8 unicode20utf8 xunicode20utf8 cp65001",
    "utf-16-be": "utf16be unicodefffe",
    "utf-16-le": "utf16le",
    "utf-16": "utf16 u16 csunicode iso10646ucs2 ucs2 unicode unicodefeff",
    "utf-32": "utf32 u32 ucs4 iso10646ucs4",
    "utf-32-be": "utf32be",
    "utf-32-le": "utf32le",
    "x-user-defined": "xuserdefined",
    # Browsers take Latin-1 and ASCII for windows-1252, in which servers really write.
    "windows-1252": "windows1252 cp1252 xcp1252 iso88591 iso885911987 isoir100 latin1 l1 latin csisolatin1 ibm819 "
    "cp819 8859 iso8859 usascii ascii ansix341968 ansix341986 iso646us 646 us ibm367 cp367 csascii isoir6 "
    "iso646irv1991",
    "windows-1250": "windows1250 cp1250 xcp1250",
    "windows-1251": "windows1251 cp1251 xcp1251",
    "windows-1253": "windows1253 cp1253 xcp1253",
    "windows-1254": "windows1254 cp1254 xcp1254 iso88599 iso885991989 isoir148 latin5 l5 csisolatin5",
    "windows-1255": "windows1255 cp1255 xcp1255",
    "windows-1256": "windows1256 cp1256 xcp1256",
    "windows-1257": "windows1257 cp1257 xcp1257",
    "windows-1258": "windows1258 cp1258 xcp1258",
    "cp874": "windows874 cp874 dos874 tis620 iso885911 iso8859112001 tis62025290 tis62025291 tis6200 thai isoir166",
    "iso8859-2": "iso88592 iso885921987 isoir101 latin2 l2 csisolatin2",
    "iso8859-3": "iso88593 iso885931988 isoir109 latin3 l3 csisolatin3",
    "iso8859-4": "iso88594 iso885941988 isoir110 latin4 l4 csisolatin4",
    "iso8859-5": "iso88595 iso885951988 isoir144 cyrillic csisolatincyrillic",
    "iso8859-6": "iso88596 iso885961987 isoir127 arabic csisolatinarabic asmo708 ecma114 iso88596e iso88596i "
    "csiso88596e csiso88596i",
    "iso8859-7": "iso88597 iso885971987 isoir126 greek greek8 csisolatingreek elot928 ecma118 suneugreek",
    "iso8859-8": "iso88598 iso885981988 isoir138 hebrew csisolatinhebrew visual logical iso88598e iso88598i "
    "csiso88598e csiso88598i",
    "iso8859-10": "iso885910 iso8859101992 isoir157 latin6 l6 csisolatin6",
    "iso8859-13": "iso885913 latin7 l7",
    "iso8859-14": "iso885914 iso8859141998 isoir199 latin8 l8 isoceltic",
    "iso8859-15": "iso885915 latin9 l9 csisolatin9",
    "iso8859-16": "iso885916 iso8859162001 isoir226 latin10 l10",
    "koi8-r": "koi8r koi koi8 cskoi8r",
    "koi8-u": "koi8u koi8ru",
    "koi8-t": "koi8t",
    "kz1048": "kz1048 strk1048 strk10482002 rk1048",
    "ptcp154": "ptcp154 csptcp154 pt154 cp154 cyrillicasian",
    "mac-roman": "macintosh macroman mac csmacintosh xmacroman",
    "mac-cyrillic": "maccyrillic xmaccyrillic xmacukrainian",
    "mac-greek": "macgreek xmacgreek",
    "mac-latin2": "maclatin2 maccentraleurope xmacce maceastern",
    "mac-turkish": "macturkish xmacturkish",
    "mac-iceland": "maciceland xmacicelandic",
    "cp932": "shiftjis sjis csshiftjis mskanji windows31j xsjis ms932 cp932",
    "shift_jis_2004": "shiftjis2004 sjis2004 shiftjisx0213 sjisx0213",
    "euc_jp": "eucjp xeucjp cseucpkdfmtjapanese ujis",
    "euc_jis_2004": "eucjis2004 jisx0213 eucjisx0213",
    "iso2022_jp": "iso2022jp csiso2022jp",
    "iso2022_jp_2": "iso2022jp2 iso2022jp1",
    "iso2022_jp_2004": "iso2022jp2004 iso2022jp3",
    "iso2022_jp_ext": "iso2022jpext",
    "cp949": "euckr cseuckr isoir149 ksc56011987 ksc56011989 ksc5601 korean windows949 cp949 ms949 uhc ksx1001",
    "johab": "johab cp1361 ms1361",
    "iso2022_kr": "iso2022kr csiso2022kr",
    "gb18030": "gb18030 gb180302000 gbk xgbk cp936 ms936 windows936 gb2312 gb231280 gb23121980 csgb2312 isoir58 "
    "chinese csiso58gb231280 euccn eucgb2312cn",
    "hz": "hz hzgb hzgb2312",
    "big5hkscs": "big5 big5tw csbig5 cnbig5 xxbig5 big5hkscs hkscs cp950 ms950",
    "hp-roman8": "hproman8 roman8 r8 cshproman8",
    **{f"cp{page}": f"cp{page} ibm{page} csibm{page} {page}" for page in (437, 775, 850, 852, 855, 857)},
    **{f"cp{page}": f"cp{page} ibm{page} {page}" for page in (720, 737, 856, 858, 860, 861, 862, 863, 864, 865, 869)},
    "cp866": "cp866 ibm866 866 csibm866",
    # EBCDIC
    "cp037": "cp037 ibm037 ibm039 037 csibm037 ebcdiccpus",
    **{f"cp{page}": f"cp{page} ibm{page} {page}" for page in (273, 424, 500, 875, 1006, 1026, 1125, 1140)},
}
_CODECS = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}


@dataclass(frozen=True, slots=True)
class DecodedText:
    """Bytes as text.

    Attributes:
        text: the text without a byte order mark.
        charset: the character set that was used, such as `utf-8`.
        exact: whether every byte belonged to the character set; U+FFFD stands for those that did not.
    """

    text: str
    charset: str
    exact: bool


def named_charset(content_type: str) -> str:
    """Return the name of the character set in a header `Content-Type`; empty if there is none."""
    found = _CHARSET.search(content_type)
    return found[1] if found else ""


def decode_text(data: bytes, name: str = "", *, cut: bool = False) -> DecodedText:
    """Decode bytes, whatever they are and whatever the character set is called.

    Args:
        data: the bytes. A byte order mark at their start decides.
        name: the name that the sender gives the character set. UTF-8 takes the place of a name that is missing or that
            is no character set.
        cut: whether the end of the bytes is missing, so that part of a character may be left over, which is dropped.
    """
    codec, start = _codec(data, _CODECS.get(_PUNCTUATION.sub("", name[:100].lower()), "utf-8"))
    text, exact = _decode(data[start:], codec, cut)
    return DecodedText(text, codec, exact)


def _codec(data: bytes, codec: str) -> tuple[str, int]:
    """Return the codec and the length of the byte order mark."""
    for mark, marked in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return marked, len(mark)
    if codec in {"utf-16", "utf-32"}:
        # Without a mark, browsers assume little endian. Text that starts with a NUL cannot be that.
        return codec + ("-be" if data.startswith(b"\0") else "-le"), 0
    return codec, 0


def _decode(data: bytes, codec: str, cut: bool) -> tuple[str, bool]:
    if codec in _SINGLE_BYTE:
        return data.decode("latin-1").translate(_SINGLE_BYTE[codec]), True
    decoder = codecs.getincrementaldecoder(codec)
    try:
        return decoder().decode(data, not cut), True
    except UnicodeDecodeError:
        return decoder("replace").decode(data, not cut), False


# Character sets of the standard that differ from Python's codecs, as differences from Latin-1.
_SINGLE_BYTE: Mapping[str, Mapping[int, int | str]] = {
    "x-user-defined": {byte: 0xF700 + byte for byte in range(0x80, 0x100)},
    # Five places are free in Python, and control characters in the standard.
    "windows-1252": {byte: bytes([byte]).decode("cp1252") for byte in range(0x80, 0xA0) if byte not in _FREE},
}
