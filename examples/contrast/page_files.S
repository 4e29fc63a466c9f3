/* page.css and page.js as strings, so that they are files of their own here and part of contrast. */
    .section .rodata
    .globl page_css
page_css:
    .incbin "page.css"
    .byte 0
    .globl page_js
page_js:
    .incbin "page.js"
    .byte 0
    .section .note.GNU-stack, "", %progbits
