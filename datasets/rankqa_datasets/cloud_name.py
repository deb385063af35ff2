"""Names of distorted clouds: the same cloud is spelt in several ways by releases and lists."""

from pathlib import PurePosixPath


def cloud_key(name: str) -> str:
    """What all spellings of a cloud's name have in common.

    Letter case and blanks (`ULB Unicorn`, `ULB unicorn`, `ULBUnicorn`), the apostrophe that ends names in the sheet of
    WPC, the `_rounded` that some lists append to its G-PCC clouds, the double underscore of one mesh of IRPC and the
    ending `.ply` play no part.
    """
    key = "".join(PurePosixPath(name).name.casefold().replace("'", "").split())
    return key.removesuffix(".ply").removesuffix("_rounded").replace("__", "_")
