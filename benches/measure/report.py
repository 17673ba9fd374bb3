"""Prints tables as they become known, and remembers which promises were not kept."""


class Report:
    def __init__(self):
        self.broken = []

    def title(self, text):
        print(f"\n### {text}\n", flush=True)

    def line(self, text):
        print(text, flush=True)

    def table(self, columns, rows):
        """Rows of text; a first column on the left, all others on the right."""
        print("| " + " | ".join(columns) + " |")
        print("| --- |" + " ---: |" * (len(columns) - 1))
        for row in rows:
            print("| " + " | ".join(row) + " |", flush=True)

    def judge(self, what, found, limit, unit):
        """Whether `found` keeps the promise of at most `limit`, in words; None is no promise."""
        if limit is None:
            return ""
        if found <= limit:
            return f"yes (≤ {limit:g}{unit and ' ' + unit})"
        self.broken.append(f"{what}: {found:.2f} {unit}, promised at most {limit:g} {unit}")
        return f"**no** (≤ {limit:g}{unit and ' ' + unit})"

    def judge_least(self, what, found, limit, unit):
        """As `judge`, for a promise of at least `limit`."""
        if limit is None:
            return ""
        if found >= limit:
            return f"yes (≥ {limit:g}{unit and ' ' + unit})"
        self.broken.append(f"{what}: {found:.2f} {unit}, promised at least {limit:g} {unit}")
        return f"**no** (≥ {limit:g}{unit and ' ' + unit})"

    def finish(self):
        """The verdict, and the status to exit with."""
        print()
        for broken in self.broken:
            print(f"not met: {broken}")
        if not self.broken:
            print("All promised figures are met.")
        return 1 if self.broken else 0
