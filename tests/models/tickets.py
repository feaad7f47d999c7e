"""Support tickets with their labels, for the text classifier to train on."""

import csv
import io

_TEXTS = {
    "billing": [
        "I was charged twice this month.",
        "Why is my invoice higher than last time?",
        "Please refund the payment from Monday.",
        "My credit card was declined at checkout.",
        "I need a receipt for my tax return.",
        "The discount code was not applied to my bill.",
        "Can I pay by bank transfer instead of card?",
        "You took money after I cancelled my plan.",
        "How do I change the billing address on invoices?",
        "The price on the invoice does not match the offer.",
        "When will the refund reach my account?",
        "I want to switch from monthly to yearly payment.",
    ],
    "delivery": [
        "My parcel has not arrived yet.",
        "The tracking number does not work.",
        "The package was left with a neighbour I do not know.",
        "Can you deliver to another address?",
        "The box arrived damaged and open.",
        "How long does delivery to Norway take?",
        "The courier never rang the bell.",
        "One item is missing from the package.",
        "I would like to pick up the order myself.",
        "The shipment has been stuck at customs for a week.",
        "Please send the parcel by express.",
        "It was delivered to the wrong house.",
    ],
    "technical": [
        "The app crashes when I open the settings.",
        "I cannot log in after the update.",
        "The page stays blank in my browser.",
        "Syncing stops with error 500.",
        "The screen freezes while I upload a photo.",
        "Notifications no longer appear on my phone.",
        "The search returns no results at all.",
        "My password reset link leads to an error page.",
        "The export button does nothing.",
        "Video playback stutters on my laptop.",
        "The installer fails on Windows.",
        "Dark mode makes the text unreadable.",
    ],
}

TICKETS = [(text, label) for label, texts in _TEXTS.items() for text in texts]

UNSEEN = [
    ("Money was taken from my card two times.", "billing"),
    ("Could you send me an invoice for March?", "billing"),
    ("I am still waiting for my money back.", "billing"),
    ("Is there a cheaper subscription?", "billing"),
    ("Where is my order? It should have come on Friday.", "delivery"),
    ("The driver put the package in the rain.", "delivery"),
    ("Do you ship to Canada?", "delivery"),
    ("The postman says that he has no letter for me.", "delivery"),
    ("The website shows an error when I sign in.", "technical"),
    ("The program closes by itself after a few seconds.", "technical"),
    ("Nothing happens when I press save.", "technical"),
    ("The microphone is not found by your software.", "technical"),
]
"""Texts that no training has seen, and what a person would call them."""


def as_csv(rows: list[tuple[str, str]]) -> bytes:
    """With a line of column names."""
    made = io.StringIO()
    writer = csv.writer(made)
    writer.writerow(("text", "label"))
    writer.writerows(rows)
    return made.getvalue().encode()
