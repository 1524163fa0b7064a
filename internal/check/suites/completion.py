"""Makes, in a user's kernel, what the suite then completes to. The kernel's folder
becomes one of its own, so that the user's home stays as it is."""

import os
import tempfile

try:
    import numpy as np
except ImportError:
    pass

os.chdir(tempfile.mkdtemp())
os.mkdir("zz_dir")
open("zz_dir/zz_seeded_file", "w").close()
zz_probe_sentinel = 1
zz_dictionary = {"zz_key_one": 1, "zz_key_two": 2}
