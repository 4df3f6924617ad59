"""Public outcome sets by name: pinned, resumed where they broke off, checked before they count."""
