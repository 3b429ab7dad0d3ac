"""Tests of settlement/closing."""
