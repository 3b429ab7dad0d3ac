"""The trading calendar and the timetable: which day is a trading day, and when each instrument changes its phase."""
