"""Tests of hooks around attempts, and of lifespans."""
