// What a person would see of the page: how far it reaches, how large the charts are, how well everything can be told apart.
() => {
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const ground = (element) => {
    for (let at = element.parentElement; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (channels(colour)[3] !== 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const isShown = (element) => element.checkVisibility() && element.getClientRects().length > 0;
  const box = (element) => {
    const { left, right, top, bottom, width, height } = element.getBoundingClientRect();
    return { left, right, top, bottom, width, height };
  };
  const name = (element) => `${element.localName}.${element.getAttribute('class') ?? ''} ${element.textContent.slice(0, 60)}`;
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  const inside = [...document.body.querySelectorAll('*')].filter((one) => isShown(one) && !one.closest('.open thead'));
  const texts = inside.filter((one) => hasText(one) && !['title', 'desc'].includes(one.localName));
  const textColour = (one) => getComputedStyle(one)[one.localName === 'text' ? 'fill' : 'color'];
  return {
    width: document.documentElement.scrollWidth,
    tooWide: inside.filter((one) => box(one).right > innerWidth + 0.5 || box(one).left < -0.5).map(name),
    texts: texts.map((one) => ({ name: name(one), contrast: contrast(textColour(one), ground(one)), ...box(one) })),
    charts: [...document.querySelectorAll('svg')].map((svg) => ({
      id: svg.id,
      ...box(svg),
      marks: [...svg.querySelectorAll('rect:not(.track)')].map((rect) => ({
        name: name(rect), contrast: contrast(getComputedStyle(rect).fill, ground(svg)), ...box(rect),
      })),
      labels: [...svg.querySelectorAll('text')].map((text) => ({ name: name(text), ...box(text) })),
    })),
  };
}
