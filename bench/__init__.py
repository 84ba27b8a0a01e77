"""Measurements of Sampan, run as `python -m bench NAME`. Not part of the wheel; `README.md` says what each means."""
