//! A part of the page as a PNG: its boxes, lines of text, canvases and drawings, painted as they stand. No font, image or code of
//! another host is in it, so that the picture can be read back.

const SCALE = 2;

export async function picture(part: HTMLElement): Promise<Blob> {
  const frame = part.getBoundingClientRect();
  const canvas = document.createElement('canvas');
  canvas.width = Math.ceil(frame.width * SCALE);
  canvas.height = Math.ceil(frame.height * SCALE);
  const pen = canvas.getContext('2d');
  if (!pen) throw new Error('this browser has no canvas');
  pen.scale(SCALE, SCALE);
  pen.fillStyle = getComputedStyle(document.body).backgroundColor;
  pen.fillRect(0, 0, frame.width, frame.height);
  await paint(part, pen, frame);
  return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error('no picture'))), 'image/png'));
}

async function paint(node: Element, pen: CanvasRenderingContext2D, frame: DOMRect): Promise<void> {
  const style = getComputedStyle(node);
  const box = node.getBoundingClientRect();
  if (style.display === 'none' || style.visibility === 'hidden' || box.width === 0 || box.height === 0) return;
  if (node.classList.contains('sr') || node.hasAttribute('data-no-picture')) return;
  const [x, y] = [box.left - frame.left, box.top - frame.top];
  if (node instanceof HTMLCanvasElement) {
    pen.drawImage(node, x, y, box.width, box.height);
    return;
  }
  if (node instanceof SVGSVGElement) {
    pen.drawImage(await drawn(node, box), x, y, box.width, box.height);
    return;
  }
  pen.save();
  if (style.overflow !== 'visible') {
    pen.beginPath();
    pen.rect(x, y, box.width, box.height);
    pen.clip();
  }
  if (style.backgroundColor !== 'rgba(0, 0, 0, 0)') {
    pen.fillStyle = style.backgroundColor;
    pen.fillRect(x, y, box.width, box.height);
  }
  edges(style, pen, x, y, box);
  for (const child of node.childNodes) {
    if (child instanceof Element) await paint(child, pen, frame);
    else if (child instanceof Text && child.data.trim()) write(child, style, pen, frame);
  }
  pen.restore();
}

function edges(style: CSSStyleDeclaration, pen: CanvasRenderingContext2D, x: number, y: number, box: DOMRect): void {
  const side = (width: string, kind: string, color: string, from: [number, number], to: [number, number]) => {
    const size = parseFloat(width);
    if (!(size > 0) || kind === 'none' || color === 'rgba(0, 0, 0, 0)') return;
    pen.strokeStyle = color;
    pen.lineWidth = size;
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(...to);
    pen.stroke();
  };
  const [right, bottom] = [x + box.width, y + box.height];
  side(style.borderTopWidth, style.borderTopStyle, style.borderTopColor, [x, y + 0.5], [right, y + 0.5]);
  side(style.borderBottomWidth, style.borderBottomStyle, style.borderBottomColor, [x, bottom - 0.5], [right, bottom - 0.5]);
  side(style.borderLeftWidth, style.borderLeftStyle, style.borderLeftColor, [x + 0.5, y], [x + 0.5, bottom]);
  side(style.borderRightWidth, style.borderRightStyle, style.borderRightColor, [right - 0.5, y], [right - 0.5, bottom]);
}

function write(text: Text, style: CSSStyleDeclaration, pen: CanvasRenderingContext2D, frame: DOMRect): void {
  const range = document.createRange();
  range.selectNodeContents(text);
  const [box] = range.getClientRects();
  if (!box) return;
  pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  pen.fillStyle = style.color;
  pen.textBaseline = 'alphabetic';
  const words = text.data.replace(/\s+/g, ' ').trim();
  const metrics = pen.measureText(words);
  const height = metrics.fontBoundingBoxAscent + metrics.fontBoundingBoxDescent;
  pen.fillText(words, box.left - frame.left, box.top - frame.top + (box.height - height) / 2 + metrics.fontBoundingBoxAscent, box.width + 1);
}

const KEPT = ['fill', 'stroke', 'stroke-width', 'stroke-dasharray', 'fill-opacity', 'opacity', 'font-family', 'font-size', 'font-weight', 'text-anchor'];

async function drawn(svg: SVGSVGElement, box: DOMRect): Promise<HTMLImageElement> {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const [from, to] = [[svg, ...svg.querySelectorAll('*')], [copy, ...copy.querySelectorAll('*')]];
  from.forEach((each, i) => {
    const style = getComputedStyle(each);
    const target = to[i];
    target?.removeAttribute('style');
    target?.removeAttribute('class');
    for (const name of KEPT) target?.setAttribute(name, style.getPropertyValue(name));
    target?.setAttribute('color', style.color);
  });
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('width', String(box.width));
  copy.setAttribute('height', String(box.height));
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  return image;
}

export function download(name: string, blob: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
