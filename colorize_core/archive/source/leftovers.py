"""What systems, NAS boxes and photo programs leave in folders: bins, thumbnails, snapshots."""

from __future__ import annotations

import re
from typing import Final

from colorize_core.atomic import STATE_FOLDER, TEMP_PREFIX

JUNK: Final = "file of the system, no picture"
BIN: Final = "in a recycle bin"
THUMBNAILS: Final = "thumbnails of a NAS or photo program"
SNAPSHOT: Final = "in a snapshot or an older version"
LIBRARY: Final = "library of a photo program (give its folder of originals as SRC)"

_NAMES: Final = {
    JUNK: (
        *(".ds_store", "desktop.ini", "__macosx", ".appledouble", ".appledb", ".appledesktop"),
        *(".spotlight-v100", ".fseventsd", ".documentrevisions-v100", ".temporaryitems"),
        *("temporary items", "system volume information", "$extend", "lost+found", ".stfolder"),
        *("@tmp", "@synoresource", ".dropbox.cache", ".nomedia", STATE_FOLDER),
    ),
    BIN: (
        *("$recycle.bin", "recycler", "recycled", ".trashes", ".trash", "network trash folder"),
        *("#recycle", "@recycle", ".recycle", "files_trashbin"),
    ),
    THUMBNAILS: (
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "zbthumbnail.info", ".thumbnails"),
        *("@eadir", ".@__thumb", ".thumbs", ".photoprism", "nksc_param", ".streams"),
    ),
    SNAPSHOT: (
        *("#snapshot", "@recently-snapshot", ".snapshot", ".snapshots", "~snapshot", ".zfs"),
        *(".snap", ".stversions", "files_versions", ".picasaoriginals"),
    ),
    LIBRARY: (),
}
_ENDINGS: Final = {
    LIBRARY: (
        *(".photoslibrary", ".photolibrary", ".migratedphotolibrary", ".aplibrary", ".lrlibrary"),
        *(".photoboothlibrary", ".imovielibrary", ".cocatalog"),
    ),
    THUMBNAILS: (".lrdata", ".migratedaplibrary.thumbs"),
}
_REASONS: Final = {name: reason for reason, names in _NAMES.items() for name in names}
# FreeDesktop's bins on other disks carry the user's number.
_BIN_OF_USER: Final = re.compile(r"\.trash-\d+")


def leftover(name: str) -> str:
    """Why a file or folder of this name is left out; empty for all others."""
    if name.startswith(("._", TEMP_PREFIX)):
        return JUNK
    folded = name.casefold()
    if reason := _REASONS.get(folded):
        return reason
    for reason, endings in _ENDINGS.items():
        if folded.endswith(endings):
            return reason
    return BIN if folded[:1] == "." and _BIN_OF_USER.fullmatch(folded) else ""
