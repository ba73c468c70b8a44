// For the page of a newspaper: puts the results where this script stands.
//   <script src="https://HOST/.prep/embed.js" async></script>
// data-ruta="/path" shows another page of the publication; data-alto="700" fixes the height, in pixels.
(function () {
  "use strict";
  // Pixels; without data-alto the frame is as high as its content, within this and this much of the window.
  var LEAST = 320, MOST = 0.9, BARS = 150;
  var me = document.currentScript;
  if (!me || !me.src) return;
  var origin = new URL(me.src).origin, path = me.getAttribute("data-ruta"), fixed = parseInt(me.getAttribute("data-alto"), 10);

  var frame = document.createElement("iframe");
  frame.src = origin + "/.prep/embed" + (path ? "?ruta=" + encodeURIComponent(path) : "");
  frame.title = {{TITLE}};
  frame.loading = "lazy";
  frame.allowFullscreen = true;
  frame.style.cssText = "display:block;width:100%;max-width:100%;border:0";

  function resize(height) {
    var most = Math.max(LEAST, Math.round(innerHeight * MOST));
    frame.style.height = (fixed > 0 ? fixed : Math.min(most, Math.max(LEAST, height || most))) + "px";
  }
  resize(null);

  var last = null;
  addEventListener("message", function (event) {
    if (event.origin !== origin || event.source !== frame.contentWindow) return;
    var said = event.data;
    if (!said || said.prep !== 1 || !(said.alto === null || typeof said.alto === "number")) return;
    last = said.alto;
    resize(last);
  });
  // A phone's bars come and go while people scroll: nothing must jump then.
  var width = innerWidth, height = innerHeight;
  addEventListener("resize", function () {
    if (innerWidth === width && Math.abs(innerHeight - height) < BARS) return;
    width = innerWidth;
    height = innerHeight;
    resize(last);
  });
  me.parentNode.insertBefore(frame, me.nextSibling);
})();
