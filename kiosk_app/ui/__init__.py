"""What is seen and touched: Kivy. It draws views and turns touches into events; it decides nothing.

Kivy reads its environment when it is imported, so `window.prepare` comes before any other module.
"""
