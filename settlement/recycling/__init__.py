"""The recycling counter: sellers, tickets, two-way prices, anti-money-laundering."""
