"""The screens with few words or many buttons: attract, item, saving, thanks, out of service."""

from functools import partial

from kivy.input import MotionEvent
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from kiosk_app.ui.page import GAP, MARGIN, Page
from kiosk_app.ui.question import QuestionPane
from kiosk_app.view import Trouble, View


class AttractPage(Page):
    """The first question, for whoever comes: in one language, or in two with equal room."""

    def show(self, view: View) -> None:
        """Show the question that a session begins with."""
        self.clear_widgets()
        assert view.asked is not None
        asked = view.asked
        self.add_widget(self.header(view))
        narrow = len(asked.questions) > 1
        halves = BoxLayout(spacing=self.theme(2 * MARGIN))
        for question in asked.questions:
            half = BoxLayout(orientation="vertical", spacing=self.theme(GAP))
            pane = QuestionPane(
                self.theme,
                question,
                lead=self.catalogues[question.language].attract,
                narrow=narrow,
            )
            pane.bind(on_answer=partial(self.answer, asked, question.language))
            half.add_widget(pane)
            skip = self.skip_button(asked, question.language)
            half.add_widget(self.footer(None, skip))
            halves.add_widget(half)
        self.add_widget(halves)


class ItemPage(Page):
    """A rating or a choice, in the language of the session."""

    def show(self, view: View) -> None:
        """Show the item that is asked."""
        self.clear_widgets()
        assert view.asked is not None
        asked, [question] = view.asked, view.asked.questions
        language, given = question.language, asked.given
        self.add_widget(self.header(view, self.progress(asked, language)))
        pane = QuestionPane(self.theme, question, given=given)
        pane.bind(on_answer=partial(self.answer, asked, language))
        self.add_widget(pane)
        buttons = [self.back_button(asked, language), None, self.skip_button(asked, language)]
        if given is not None:
            onward = self.next_button(language)
            onward.bind(on_release=lambda _: self.answer(asked, language, pane, given))
            buttons.append(onward)
        self.add_widget(self.footer(*buttons))


class SavingPage(Page):
    """The answers are being stored: a word about it only if it takes long."""

    def show(self, view: View) -> None:
        """Show that there is something to wait for."""
        self.clear_widgets()
        self.add_widget(self.header(view))
        texts = [(self.catalogues[each].saving, "") for each in view.languages]
        self.add_widget(self.message(texts) if view.saving_shown else Widget())


class ThanksPage(Page):
    """Thanks, once the answers are stored; with the invitation, if one was accepted."""

    def show(self, view: View) -> None:
        """Thank the respondent."""
        self.clear_widgets()
        self.add_widget(self.header(view))
        [language] = view.languages
        words = self.catalogues[language]
        lines = [words.saved]
        if (invited := view.invitation) is not None:
            lines += ["", words.invitation]
            lines += [text[language] for text in (invited.what, invited.when, invited.whom)]
        self.add_widget(self.message([(words.thanks, "\n".join(lines))]))

    def on_touch_up(self, touch: MotionEvent) -> bool:
        """A tap anywhere dismisses."""
        self.dispatch("on_dismiss")
        return True


class OutOfServicePage(Page):
    """What is wrong, in plain words."""

    def show(self, view: View) -> None:
        """Show that nothing can be answered now."""
        self.clear_widgets()
        self.add_widget(self.header(view))
        texts = []
        for language in view.languages:
            words = self.catalogues[language]
            if view.trouble is Trouble.NOT_SAVED:
                texts.append((words.not_saved, words.still_trying))
            else:
                texts.append((words.not_working, words.ask_staff))
        self.add_widget(self.message(texts))
