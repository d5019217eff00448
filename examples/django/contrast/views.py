"""The page: two colours in, a verdict out."""

from django.shortcuts import render

from contrast.ratio import contrast_ratio, parse_colour

ENOUGH = 4.5  # WCAG 2.2, level AA, for body text


def show_contrast(request):
    text = request.GET.get("text", "#1a2b3c")
    background = request.GET.get("background", "#ffffff")
    page = {"text": text, "background": background}
    try:
        ratio = contrast_ratio(parse_colour(text), parse_colour(background))
    except ValueError as error:
        return render(request, "contrast.html", page | {"error": error}, status=400)
    return render(request, "contrast.html", page | {"ratio": ratio, "is_enough": ratio >= ENOUGH})
