"""Where everything stands on the screen: from a view and a panel to boxes and lines. No Kivy.

The screen draws what this gives, letter by letter, and stamping and start-up judge by it whether
a questionnaire fits; so what was judged is what is drawn.
"""
