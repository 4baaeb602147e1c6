# The program, what shells complete for it, its manual page, and what else there is to read.
include(GNUInstallDirs)
install(TARGETS airlock RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES README.md CHANGELOG.md LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(AIRLOCK_STATIC)
  install(FILES THIRD-PARTY DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()

# They come out of the program, so they are there only where what is built runs.
if(NOT CMAKE_CROSSCOMPILING)
  add_custom_command(OUTPUT completion.bash completion.zsh airlock.1
    COMMAND airlock completion bash > completion.bash
    COMMAND airlock completion zsh > completion.zsh
    COMMAND airlock help man > airlock.1
    DEPENDS airlock)
  add_custom_target(companions ALL DEPENDS completion.bash completion.zsh airlock.1)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/completion.bash
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME airlock)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/completion.zsh
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions RENAME _airlock)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/airlock.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
